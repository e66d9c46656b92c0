//! What time brings about.

use std::time::Duration;

use proto::agent::{AgentMessage, Dom0Message, RefusalCode};

use super::bench::{A, B, Bench, Seen};
use crate::broker::Event;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_guest_has_five_seconds_for_its_hello() {
    let mut bench = Bench::new();
    let conn = bench.connect(A);
    bench.pass(5 * SECOND - Duration::from_millis(1));
    bench.expect_nothing();
    bench.pass(Duration::from_millis(1));
    assert!(bench.is_closed(conn));
    assert_eq!(bench.refusals(), [(None, RefusalCode::Timeout)]);
}

#[test]
fn a_domain_that_cannot_be_read_in_time_is_refused() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.reads_hang = true;
    bench.open(conn, 1);
    bench.pass(Duration::from_millis(250));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Internal)]);
    // The answer that comes too late has no consequence.
    bench.answer_reads();
    bench.expect_nothing();
}

#[test]
fn a_silent_guest_is_asked_once_and_given_up_when_it_stays_silent() {
    let mut bench = Bench::new();
    let conn = bench.admitted(A);
    bench.pass(60 * SECOND);
    assert!(matches!(
        bench.seen.pop(),
        Some(Seen::Told(_, Dom0Message::Ping))
    ));
    bench.pass(19 * SECOND);
    bench.expect_nothing();
    bench.say(conn, AgentMessage::Pong);
    bench.pass(60 * SECOND);
    assert!(matches!(
        bench.seen.pop(),
        Some(Seen::Told(_, Dom0Message::Ping))
    ));
    bench.pass(20 * SECOND);
    assert!(bench.is_closed(conn));
    bench.seen.clear();
    bench.pass(1_000 * SECOND);
    bench.expect_nothing();
}

#[test]
fn a_guest_may_hold_the_card_for_ten_seconds_alone_and_two_when_others_wait() {
    for (others, limit) in [(false, 10 * SECOND), (true, 2 * SECOND)] {
        let mut bench = Bench::with_card();
        let (a, b) = (bench.admitted(A), bench.admitted(B));
        bench.open(a, 1);
        let use_id = bench.started();
        bench.say_client_hello(use_id);
        if others {
            bench.open(b, 9);
        }
        bench.seen.clear();
        bench.pass(limit - Duration::from_millis(1));
        assert_eq!(bench.refusals(), []);
        bench.pass(Duration::from_millis(1));
        assert!(bench.is_cancelled(use_id));
        assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Timeout)]);
    }
}

#[test]
fn bytes_that_dribble_in_do_not_restart_the_wait() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.say_client_hello(use_id);
    for second in 1..10 {
        bench.pass(SECOND);
        bench.records(conn, 1, 1);
        bench.await_server(use_id, SECOND * second);
    }
    assert_eq!(bench.refusals(), []);
    bench.pass(SECOND);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Timeout)]);
}

#[test]
fn a_card_that_computes_owes_no_answer_of_the_server() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let use_id = bench.started();
    bench.open(b, 1);
    bench.say_client_hello(use_id);
    bench.records(a, 1, 100);
    // The worker asked for more while this was on its way.
    bench.records(a, 1, 100);
    bench.await_server_after(use_id, Duration::from_millis(100), 100);
    bench.seen.clear();
    bench.pass(10 * SECOND);
    assert_eq!(bench.refusals(), []);
    bench.await_server_after(use_id, Duration::ZERO, 200);
    bench.pass(2 * SECOND);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Timeout)]);
}

#[test]
fn a_whole_handshake_has_thirty_seconds() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    for _ in 0..5 {
        bench.say_client_hello(use_id);
        bench.pass(5 * SECOND);
        bench.records(conn, 1, 10);
    }
    assert_eq!(bench.refusals(), []);
    bench.pass(5 * SECOND);
    assert!(bench.is_cancelled(use_id));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Timeout)]);
}

#[test]
fn without_anything_to_wait_for_there_is_no_timer() {
    let mut bench = Bench::with_card();
    assert_eq!(bench.broker.next_timeout(), None);
    let conn = bench.admitted(A);
    assert!(bench.broker.next_timeout().is_some());
    bench.handle(Event::Disconnected { conn });
    // Until then the audit counts whether the guest comes and goes again.
    bench.pass(10 * SECOND);
    assert_eq!(bench.broker.next_timeout(), None);
}

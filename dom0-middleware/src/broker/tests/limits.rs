//! Bytes of a handshake, and data that has no business being there.

use proto::agent::{AgentMessage, RefusalCode, SessionData};
use proto::id::SessionId;

use super::bench::{A, B, Bench, Seen};
use crate::card::{WorkerCommand, WorkerReport};

#[test]
fn a_handshake_has_so_many_bytes_from_the_server() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.say_client_hello(use_id);
    bench.seen.clear();
    for _ in 0..4 {
        bench.records(conn, 1, 64 << 10);
    }
    let passed_on = bench.seen.iter().filter(|seen| {
        matches!(seen, Seen::Ordered(WorkerCommand::ServerRecords { data, .. }) if data.len() == 64 << 10)
    });
    assert_eq!(passed_on.count(), 4);
    bench.seen.clear();
    bench.records(conn, 1, 1);
    assert!(bench.is_cancelled(use_id));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Limit)]);
}

#[test]
fn a_handshake_has_so_many_bytes_from_the_card() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    let data = vec![22; (256 << 10) + 1];
    bench.report(WorkerReport::ClientRecords { use_id, data });
    assert!(bench.is_cancelled(use_id));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Limit)]);
}

#[test]
fn a_server_that_speaks_first_fails_its_session() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let use_id = bench.started();
    bench.open(b, 1);
    bench.seen.clear();
    bench.records(b, 1, 10);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::HandshakeFailed)]);
    bench.records(a, 1, 10);
    assert!(bench.is_cancelled(use_id));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::HandshakeFailed)]);
}

#[test]
fn data_for_a_session_that_is_over_is_dropped_and_for_one_that_never_was_refused() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    bench.started();
    bench.close(conn, 1);
    bench.seen.clear();
    bench.records(conn, 1, 10);
    bench.expect_nothing();
    bench.records(conn, 2, 10);
    assert_eq!(bench.refusals(), [(Some(2), RefusalCode::Protocol)]);
    bench.records(conn, 2, 10);
    bench.expect_nothing();
}

#[test]
fn one_guest_cannot_speak_for_the_session_of_another() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let use_id = bench.started();
    bench.say_client_hello(use_id);
    bench.seen.clear();
    bench.records(b, 1, 10);
    bench.close(b, 1);
    assert!(!bench.is_cancelled(use_id));
    let passed_on = |seen: &Seen| matches!(seen, Seen::Ordered(_));
    assert!(!bench.seen.iter().any(passed_on));
    bench.seen.clear();
    bench.establish(use_id);
    bench.expect_delivered(a, 1);
}

#[test]
fn tickets_are_dropped_without_a_word() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.establish(use_id);
    bench.free(use_id);
    bench.seen.clear();
    let data = SessionData {
        session: SessionId(1),
        data: vec![4, 0, 0, 0],
    };
    bench.say(conn, AgentMessage::PostHandshake(data));
    bench.expect_nothing();
}

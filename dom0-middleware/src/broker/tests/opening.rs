//! `open`: judged, planned, and sent to wait.

use std::time::Duration;

use proto::agent::{Dom0Message, RefusalCode};

use super::bench::{A, B, Bench, Seen, known};
use crate::card::{CardError, WorkerCommand, WorkerReport};
use crate::limits::Limits;
use crate::mapping::{DomainFact, ReadFault};

/// The `queued` messages among what was seen: session and place.
fn places(bench: &mut Bench) -> Vec<(u32, u32)> {
    let place = |seen| match seen {
        Seen::Told(_, Dom0Message::Queued(queued)) => Some((queued.session.0, queued.place)),
        _ => None,
    };
    bench.seen.drain(..).filter_map(place).collect()
}

#[test]
fn a_free_card_starts_at_once_with_what_was_granted() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let Some(Seen::Ordered(WorkerCommand::Start(job))) = bench.seen.pop() else {
        panic!("not started: {:?}", bench.seen);
    };
    assert_eq!(job.identity.as_str(), "id-1");
    assert_eq!(job.server_name, "www.example");
    bench.expect_nothing();
}

#[test]
fn an_identity_of_another_domain_is_not_to_be_had() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open_with(conn, 1, |open| open.identity = Some("id-2".to_owned()));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::NotBound)]);
    bench.open_with(conn, 2, |open| open.identity = Some("\u{7}".to_owned()));
    assert_eq!(bench.refusals(), [(Some(2), RefusalCode::Protocol)]);
    bench.open_with(conn, 3, |open| open.identity = Some("id-1".to_owned()));
    bench.started();
}

#[test]
fn without_a_usable_card_the_guest_is_told_at_once() {
    let mut bench = Bench::new();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::NoCard)]);
    bench.plug_in();
    let why = CardError::PinBlocked;
    bench.report(WorkerReport::Unusable { why });
    bench.seen.clear();
    bench.open(conn, 2);
    assert_eq!(bench.refusals(), [(Some(2), RefusalCode::PinBlocked)]);
}

#[test]
fn a_card_that_could_not_be_read_yet_says_why() {
    let mut bench = Bench::new();
    let conn = bench.admitted(A);
    let why = CardError::PinRejected {
        tries_left: Some(2),
    };
    bench.report(WorkerReport::Unusable { why });
    bench.seen.clear();
    bench.open(conn, 1);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::PinRequired)]);
}

#[test]
fn a_session_number_is_used_once() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.open(conn, 1);
    assert!(bench.is_cancelled(use_id), "nobody can tell them apart");
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Protocol)]);
    bench.free(use_id);
    bench.open(conn, 1);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Protocol)]);
    // Numbers of another connection are others.
    let other = bench.admitted(A);
    bench.open(other, 1);
    bench.started();
}

#[test]
fn handshakes_are_counted_over_all_connections_of_a_domain() {
    let limits = Limits {
        handshakes_per_domain: 3,
        ..Limits::default()
    };
    let mut bench = Bench::with(limits);
    bench.plug_in();
    let (one, two, other) = (bench.admitted(A), bench.admitted(A), bench.admitted(B));
    bench.seen.clear();
    bench.open(one, 1);
    bench.open(one, 2);
    bench.open(two, 1);
    bench.seen.clear();
    bench.open(two, 2);
    assert_eq!(bench.refusals(), [(Some(2), RefusalCode::Limit)]);
    bench.open(other, 1);
    assert_eq!(bench.refusals(), []);
    bench.close(one, 2);
    bench.open(two, 3);
    assert_eq!(bench.refusals(), []);
}

#[test]
fn a_full_queue_takes_nobody_but_who_has_fewer_waiting() {
    let limits = Limits {
        queue_per_card: 4,
        ..Limits::default()
    };
    let mut bench = Bench::with(limits);
    bench.plug_in();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    // One has the card, four wait.
    for session in 1..=5 {
        bench.open(a, session);
    }
    bench.seen.clear();
    bench.open(a, 6);
    assert_eq!(bench.refusals(), [(Some(6), RefusalCode::Limit)]);
    bench.open(b, 1);
    let displaced = bench.refusals();
    assert_eq!(
        displaced,
        [(Some(5), RefusalCode::Limit)],
        "the last of the flood"
    );
}

#[test]
fn who_waits_is_told_its_place_and_told_again_when_it_changes() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let first = bench.started();
    bench.open(a, 2);
    assert_eq!(places(&mut bench), [(2, 1)]);
    bench.open(b, 7);
    // The other domain has its turn first: it has had nothing yet.
    assert_eq!(places(&mut bench), [(7, 1), (2, 2)]);
    bench.pass(Duration::from_secs(1));
    assert_eq!(places(&mut bench), [], "nothing has changed");
    bench.fail(first, crate::card::SessionError::Cancelled);
    bench.free(first);
    assert_eq!(places(&mut bench), [(2, 1)], "the other one has the card");
}

#[test]
fn domains_take_turns() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    for session in 1..=3 {
        bench.open(a, session);
    }
    let mut use_id = bench.started();
    bench.open(b, 1);
    let mut order = Vec::new();
    for _ in 0..4 {
        bench.pass(Duration::from_secs(1));
        bench.establish(use_id);
        let Some(Seen::Delivered(conn, session)) = bench
            .seen
            .drain(..)
            .find(|seen| matches!(seen, Seen::Delivered(..)))
        else {
            panic!("no keys");
        };
        order.push((conn, session.0));
        bench.free(use_id);
        if order.len() < 4 {
            use_id = bench.started();
        }
    }
    assert_eq!(order, [(a, 1), (b, 1), (a, 2), (a, 3)]);
}

#[test]
fn a_use_that_ends_before_its_worker_knows_of_it_frees_the_card() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.reads_hang = true;
    bench.open(a, 1);
    bench.answer_open_only();
    bench.close(a, 1);
    bench.reads_hang = false;
    bench.answer_reads();
    bench.expect_nothing();
    bench.open(b, 1);
    bench.started();
}

#[test]
fn who_has_lost_its_right_while_it_waited_does_not_get_the_card() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let use_id = bench.started();
    bench.open(b, 1);
    bench.seen.clear();
    bench
        .domains
        .insert(B, DomainFact::Unreadable(ReadFault::Late));
    bench.establish(use_id);
    bench.free(use_id);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Internal)]);
    bench.domains.insert(B, known(B));
    bench.open(b, 2);
    bench.started();
}

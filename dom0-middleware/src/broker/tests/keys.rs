//! The keys: judged once more, recorded, delivered once, or dropped.

use proto::agent::RefusalCode;
use proto::id::SessionId;

use super::bench::{A, B, Bench, Seen, known, session_with};
use crate::broker::Event;
use crate::card::WorkerReport;
use crate::mapping::{DomainFact, ReadFault};

#[test]
fn keys_are_delivered_once_to_who_asked() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 4);
    let use_id = bench.started();
    bench.say_client_hello(use_id);
    bench.records(a, 4, 100);
    bench.establish(use_id);
    bench.expect_delivered(a, 4);
    bench.establish(use_id);
    bench.free(use_id);
    bench.expect_nothing();
    bench.records(a, 4, 10);
    bench.expect_nothing();
    bench.open(b, 1);
    bench.started();
    assert_eq!(bench.broker.snapshot().counters.established, 1);
}

#[test]
fn who_has_lost_its_right_meanwhile_gets_no_keys() {
    for (fact, code, ends_channel) in [
        (
            DomainFact::Unreadable(ReadFault::Late),
            RefusalCode::Internal,
            false,
        ),
        (DomainFact::Gone, RefusalCode::NotBound, true),
        (known(B), RefusalCode::NotBound, true),
    ] {
        let mut bench = Bench::with_card();
        let conn = bench.admitted(A);
        bench.open(conn, 1);
        let use_id = bench.started();
        bench.domains.insert(A, fact);
        bench.establish(use_id);
        let delivered = |seen: &Seen| matches!(seen, Seen::Delivered(..));
        assert!(!bench.seen.iter().any(delivered));
        assert_eq!(bench.is_closed(conn), ends_channel);
        let session = (!ends_channel).then_some(1);
        assert_eq!(bench.refusals(), [(session, code)]);
    }
}

#[test]
fn keys_that_come_after_the_end_of_their_session_are_dropped() {
    let ends: [fn(&mut Bench, crate::broker::ConnId); 3] = [
        |bench, conn| bench.close(conn, 1),
        |bench, conn| bench.handle(Event::Disconnected { conn }),
        |bench, _| {
            let binding = Bench::binding_of(A);
            bench.handle(Event::Unbound { binding });
        },
    ];
    for end in ends {
        let mut bench = Bench::with_card();
        let conn = bench.admitted(A);
        bench.open(conn, 1);
        let use_id = bench.started();
        end(&mut bench, conn);
        assert!(bench.is_cancelled(use_id));
        bench.seen.clear();
        bench.establish(use_id);
        bench.free(use_id);
        bench.expect_nothing();
    }
}

#[test]
fn nothing_follows_an_unbinding_not_even_keys_that_wait_for_the_last_judgement() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.reads_hang = true;
    bench.establish(use_id);
    let binding = Bench::binding_of(A);
    bench.handle(Event::Unbound { binding });
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::NotBound)]);
    bench.answer_reads();
    bench.expect_nothing();
    bench.reads_hang = false;
    bench.open(conn, 2);
    assert_eq!(bench.refusals(), [(Some(2), RefusalCode::NotBound)]);
}

#[test]
fn unbinding_one_domain_leaves_the_others_alone() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(b, 1);
    let use_id = bench.started();
    bench.open(a, 1);
    bench.seen.clear();
    let binding = Bench::binding_of(A);
    bench.handle(Event::Unbound { binding });
    assert!(!bench.is_cancelled(use_id));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::NotBound)]);
    bench.establish(use_id);
    bench.expect_delivered(b, 1);
}

#[test]
fn keys_that_cannot_be_recorded_do_not_leave() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.establish(use_id);
    bench.expect_delivered(conn, 1);
    let session = SessionId(1);
    bench.handle(Event::AuditFailed { conn, session });
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Internal)]);
    let counters = bench.broker.snapshot().counters;
    assert_eq!((counters.established, counters.refused), (0, 1));
}

#[test]
fn keys_that_were_used_already_are_not_given_away() {
    for sequence in [0, 2] {
        let mut bench = Bench::with_card();
        let conn = bench.admitted(A);
        bench.open(conn, 1);
        let use_id = bench.started();
        let session = Box::new(session_with(sequence));
        bench.report(WorkerReport::Established { use_id, session });
        assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Internal)]);
    }
}

#[test]
fn keys_of_another_use_are_not_taken_for_this_one() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let first = bench.started();
    bench.close(conn, 1);
    bench.free(first);
    bench.open(conn, 2);
    bench.started();
    bench.establish(first);
    bench.free(first);
    bench.expect_nothing();
}

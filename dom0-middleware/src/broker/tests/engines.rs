//! Handshakes that the service makes itself, on a card that signs.

use std::time::Duration;

use proto::agent::{Dom0Message, RefusalCode};
use proto::id::DomId;

use super::bench::{A, B, Bench, Seen, card, uuid};
use crate::audit::AuditEvent;
use crate::broker::{ConnId, EngineCommand, EngineReport, Event, SessionState, Unresumable};
use crate::card::{CardError, Door, SessionError, TransportError, WorkerCommand, WorkerReport};

/// A session that has begun and said its ClientHello; everything seen is forgotten.
fn begun(bench: &mut Bench, domid: DomId) -> ConnId {
    let conn = bench.admitted(domid);
    bench.open(conn, 1);
    bench.engine_says_client_hello(conn, 1);
    bench.seen.clear();
    conn
}

/// The audit's words for what was seen, in order.
fn audited(bench: &Bench) -> Vec<&'static str> {
    let word = |seen: &Seen| match seen {
        Seen::Audited(AuditEvent::SessionOpened(_)) => Some("opened"),
        Seen::Audited(AuditEvent::SessionClosed(_)) => Some("closed"),
        _ => None,
    };
    bench.seen.iter().filter_map(word).collect()
}

#[test]
fn a_handshake_takes_the_card_for_its_signature_only() {
    let mut bench = Bench::with_signing_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let orders = bench.engine_orders();
    let [(1, EngineCommand::Begin(request))] = orders.as_slice() else {
        panic!("{orders:?}");
    };
    assert_eq!((request.domain, &request.seid), (uuid(A), &card()));
    assert_eq!(request.certificates, [b"certificate of 1".to_vec()]);
    assert!(request.resume);
    assert!(bench.broker.snapshot().cards[0].running.is_none());

    bench.engine_says_client_hello(conn, 1);
    bench.records(conn, 1, 500);
    let orders = bench.engine_orders();
    assert!(
        matches!(orders.as_slice(), [(1, EngineCommand::ServerRecords(data))] if data.len() == 500),
        "{orders:?}"
    );

    bench.engine_wants_signature(conn, 1, 7);
    assert_eq!(audited(&bench), ["opened"]);
    let job = bench.signing();
    assert_eq!(job.message, [7]);
    assert_eq!(job.identity.as_str(), "id-1");
    bench.sign(job.use_id);
    assert!(
        bench.engine_orders().is_empty(),
        "it has it from the worker"
    );
    bench.free(job.use_id);

    bench.engine_establishes(conn, 1);
    bench.expect_delivered(conn, 1);
}

#[test]
fn a_resumed_handshake_needs_no_card() {
    let mut bench = Bench::with_signing_card();
    let (a, b) = (begun(&mut bench, A), begun(&mut bench, B));
    // The card is busy all the time.
    bench.engine_wants_signature(b, 1, 7);
    bench.signing();
    bench.records(a, 1, 100);
    bench.engine_establishes(a, 1);
    bench.expect_delivered(a, 1);
}

#[test]
fn signatures_wait_for_the_card_one_by_one_and_a_handshake_without_a_turn_is_told_its_place() {
    let mut bench = Bench::with_signing_card();
    let (a, b) = (begun(&mut bench, A), begun(&mut bench, B));
    bench.engine_wants_signature(a, 1, 1);
    let first = bench.signing();
    bench.engine_wants_signature(b, 1, 2);
    let queued = bench.seen.iter().any(|seen| {
        matches!(seen, Seen::Told(to, Dom0Message::Queued(queued)) if *to == b && queued.place == 1)
    });
    assert!(queued, "{:?}", bench.seen);
    // What the server says meanwhile waits in the engine.
    bench.records(b, 1, 10);
    assert_eq!(bench.engine_orders().len(), 1);
    bench.sign(first.use_id);
    bench.seen.clear();
    bench.free(first.use_id);
    assert_eq!(bench.signing().message, [2]);
}

#[test]
fn a_signature_for_a_session_that_is_over_is_dropped() {
    let mut bench = Bench::with_signing_card();
    let conn = begun(&mut bench, A);
    bench.engine_wants_signature(conn, 1, 1);
    let job = bench.signing();
    bench.close(conn, 1);
    assert!(bench.is_cancelled(job.use_id));
    assert_eq!(audited(&bench), ["closed"]);
    let orders = bench.engine_orders();
    assert!(
        matches!(orders.as_slice(), [(1, EngineCommand::Forget)]),
        "{orders:?}"
    );
    bench.sign(job.use_id);
    bench.free(job.use_id);
    bench.engine_establishes(conn, 1);
    bench.expect_nothing();
}

#[test]
fn a_session_that_never_took_the_card_is_not_worth_a_record() {
    let mut bench = Bench::with_signing_card();
    let conn = begun(&mut bench, A);
    bench.close(conn, 1);
    assert_eq!(audited(&bench), [""; 0]);
}

#[test]
fn a_right_that_ends_ends_the_handshake_wherever_it_is_and_what_could_be_resumed() {
    for stage in 0..3 {
        let mut bench = Bench::with_signing_card();
        let conn = begun(&mut bench, A);
        if stage > 0 {
            bench.engine_wants_signature(conn, 1, 1);
        }
        if stage > 1 {
            let job = bench.signing();
            bench.sign(job.use_id);
        }
        bench.seen.clear();
        let binding = Bench::binding_of(A);
        bench.handle(Event::Unbound { binding });
        let is_purge = |seen: &Seen| matches!(seen, Seen::Unresumable(Unresumable::Domain(of)) if *of == uuid(A));
        assert!(bench.seen.iter().any(is_purge), "{stage}");
        let is_forgotten = |seen: &Seen| matches!(seen, Seen::Engine(_, _, EngineCommand::Forget));
        assert!(bench.seen.iter().any(is_forgotten), "{stage}");
        assert_eq!(bench.refusals(), [(Some(1), RefusalCode::NotBound)]);
        bench.engine_establishes(conn, 1);
        bench.expect_nothing();
    }
}

#[test]
fn a_card_that_leaves_ends_even_the_handshakes_that_did_not_need_it_yet() {
    let mut bench = Bench::with_signing_card();
    let conn = begun(&mut bench, A);
    let why = CardError::Transport(TransportError::Removed);
    bench.report(WorkerReport::Gone { why });
    let is_purge =
        |seen: &Seen| matches!(seen, Seen::Unresumable(Unresumable::Card(of)) if *of == card());
    assert!(bench.seen.iter().any(is_purge));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::NoCard)]);
    bench.engine_wants_signature(conn, 1, 1);
    bench.expect_nothing();
}

#[test]
fn a_card_that_fails_to_sign_fails_its_session() {
    let mut bench = Bench::with_signing_card();
    let conn = begun(&mut bench, A);
    bench.engine_wants_signature(conn, 1, 1);
    let job = bench.signing();
    bench.fail(job.use_id, SessionError::PinRequired);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::PinRequired)]);
    bench.free(job.use_id);
    bench.expect_nothing();
}

#[test]
fn a_handshake_that_fails_says_why_and_gives_the_alert() {
    let mut bench = Bench::with_signing_card();
    let conn = begun(&mut bench, A);
    let report = EngineReport::Failed {
        error: SessionError::TooManyBytes { max: 1 },
        alert: Some(vec![21, 3, 3, 0, 2, 2, 40]),
    };
    bench.engine(conn, 1, report);
    let refused = bench.seen.iter().find_map(|seen| match seen {
        Seen::Told(_, Dom0Message::Refused(refused)) => Some(refused.clone()),
        _ => None,
    });
    let refused = refused.expect("told");
    assert_eq!(refused.code, RefusalCode::Limit);
    assert_eq!(refused.alert.as_deref(), Some(&[21, 3, 3, 0, 2, 2, 40][..]));
}

#[test]
fn a_server_that_says_nothing_ends_its_handshake_and_the_wait_for_the_card_does_not_count() {
    let mut bench = Bench::with_signing_card();
    let (a, b) = (begun(&mut bench, A), begun(&mut bench, B));
    bench.engine_wants_signature(a, 1, 1);
    let job = bench.signing();
    bench.pass(Duration::from_secs(20));
    bench.sign(job.use_id);
    bench.free(job.use_id);
    bench.seen.clear();
    bench.pass(Duration::from_secs(11));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Timeout)]);
    bench.engine_wants_signature(b, 1, 1);
    bench.expect_nothing();
    bench.pass(Duration::from_secs(18));
    bench.engine_establishes(a, 1);
    bench.expect_delivered(a, 1);
}

#[test]
fn nobody_sends_more_than_a_handshake_may_have() {
    let limit = 256 << 10;
    let mut bench = Bench::with_signing_card();
    let (a, b) = (begun(&mut bench, A), begun(&mut bench, B));
    bench.records(a, 1, limit);
    bench.seen.clear();
    bench.records(a, 1, 1);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Limit)]);
    bench.engine(b, 1, EngineReport::ClientRecords(vec![0; limit]));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Limit)]);
}

#[test]
fn a_guest_that_speaks_for_the_server_before_the_client_is_refused() {
    let mut bench = Bench::with_signing_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    bench.records(conn, 1, 10);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::HandshakeFailed)]);
}

#[test]
fn tickets_go_to_the_engine_of_a_session_that_stands_and_to_no_other() {
    let mut bench = Bench::with_signing_card();
    let conn = begun(&mut bench, A);
    bench.ticket(conn, 1);
    assert!(bench.engine_orders().is_empty(), "its keys have not left");
    bench.engine_establishes(conn, 1);
    bench.seen.clear();
    bench.ticket(conn, 1);
    let orders = bench.engine_orders();
    assert!(
        matches!(orders.as_slice(), [(1, EngineCommand::Ticket(_))]),
        "{orders:?}"
    );
    bench.close(conn, 1);
    let orders = bench.engine_orders();
    assert!(
        matches!(orders.as_slice(), [(1, EngineCommand::Forget)]),
        "{orders:?}"
    );
    bench.ticket(conn, 1);
    bench.ticket(conn, 2);
    assert!(bench.engine_orders().is_empty());
}

#[test]
fn a_session_that_may_not_be_resumed_takes_no_ticket() {
    let mut bench = Bench::with_signing_card();
    let conn = bench.admitted(A);
    bench.open_with(conn, 1, |open| open.resume = Some(false));
    bench.engine_says_client_hello(conn, 1);
    bench.engine_establishes(conn, 1);
    bench.seen.clear();
    bench.ticket(conn, 1);
    assert!(bench.engine_orders().is_empty());
}

#[test]
fn the_operator_sees_a_handshake_without_a_card_and_can_end_it() {
    let mut bench = Bench::with_signing_card();
    let conn = begun(&mut bench, A);
    let sessions = bench.broker.sessions();
    assert_eq!(sessions[0].state, SessionState::Handshake);
    assert_eq!(bench.broker.snapshot().running, 1);
    bench.handle(Event::Kill {
        conn,
        session: proto::id::SessionId(1),
    });
    let orders = bench.engine_orders();
    assert!(
        matches!(orders.as_slice(), [(1, EngineCommand::Forget)]),
        "{orders:?}"
    );
    assert!(bench.broker.sessions().is_empty());
}

#[test]
fn a_card_of_the_other_kind_in_the_same_place_is_used_in_its_own_way() {
    let mut bench = Bench::with_signing_card();
    let conn = begun(&mut bench, A);
    let why = CardError::Transport(TransportError::Removed);
    bench.report(WorkerReport::Gone { why });
    bench.plug_in_as(Door::EapTls);
    bench.seen.clear();
    bench.open(conn, 2);
    let is_start = |seen: &Seen| matches!(seen, Seen::Ordered(WorkerCommand::Start(_)));
    assert!(bench.seen.iter().any(is_start), "{:?}", bench.seen);
}

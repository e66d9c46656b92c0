//! How sessions and uses end, and what the guest learns.

use proto::agent::{AgentMessage, Close, Dom0Message, RefusalCode};
use proto::id::SessionId;
use proto::tls::AlertDescription;

use super::bench::{A, B, Bench, Seen};
use crate::audit::AuditEvent;
use crate::broker::{CardState, Event};
use crate::card::{CardError, SessionError, TransportError, TrustError, WorkerReport};

fn gone() -> WorkerReport {
    WorkerReport::Gone {
        why: CardError::Transport(TransportError::Removed),
    }
}

#[test]
fn a_failed_handshake_brings_its_code_and_the_alert_for_the_server() {
    for (error, code) in [
        (
            SessionError::PeerUntrusted(TrustError::UnknownIssuer),
            RefusalCode::PeerUntrusted,
        ),
        (SessionError::CardRemoved, RefusalCode::CardRemoved),
        (SessionError::PinRequired, RefusalCode::PinRequired),
        (SessionError::PinBlocked, RefusalCode::PinBlocked),
        (
            SessionError::CardSwapped { got: [1; 32] },
            RefusalCode::CardFailed,
        ),
        (SessionError::TooManyBytes { max: 1 }, RefusalCode::Limit),
    ] {
        let mut bench = Bench::with_card();
        let conn = bench.admitted(A);
        bench.open(conn, 1);
        let use_id = bench.started();
        bench.fail(use_id, error.clone());
        let alerts = |seen: &Seen| match seen {
            Seen::Told(_, Dom0Message::Refused(refused)) => refused.alert.clone(),
            _ => None,
        };
        let alerts: Vec<_> = bench.seen.iter().filter_map(alerts).collect();
        assert_eq!(alerts, [vec![21, 3, 3, 0, 2, 2, 42]]);
        assert_eq!(bench.refusals(), [(Some(1), code)], "{error}");
        bench.fail(use_id, error);
        bench.expect_nothing();
    }
}

#[test]
fn a_swapped_card_has_a_record_of_its_own() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.fail(use_id, SessionError::CardSwapped { got: [1; 32] });
    let swapped = |seen: &Seen| matches!(seen, Seen::Audited(AuditEvent::CardSwapped { .. }));
    assert!(bench.seen.iter().any(swapped));
}

#[test]
fn a_card_that_leaves_refuses_those_who_wait_and_the_worker_ends_the_one_who_has_it() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let use_id = bench.started();
    bench.open(b, 2);
    bench.seen.clear();
    bench.fail(use_id, SessionError::CardRemoved);
    bench.report(gone());
    bench.free(use_id);
    let refusals = bench.refusals();
    assert_eq!(
        refusals,
        [
            (Some(1), RefusalCode::CardRemoved),
            (Some(2), RefusalCode::NoCard)
        ]
    );
    bench.plug_in();
    bench.open(b, 3);
    bench.started();
}

#[test]
fn a_card_that_leaves_before_its_use_began_ends_it() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.reads_hang = true;
    bench.open(conn, 1);
    bench.answer_open_only();
    bench.report(gone());
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::NoCard)]);
    bench.reads_hang = false;
    bench.answer_reads();
    bench.expect_nothing();
    bench.plug_in();
    bench.open(conn, 2);
    bench.started();
}

#[test]
fn a_guest_that_closes_or_leaves_gives_its_place_and_its_card_to_the_next() {
    let leaves: [fn(&mut Bench, crate::broker::ConnId); 2] = [
        |bench, conn| {
            bench.close(conn, 1);
            bench.close(conn, 2);
        },
        |bench, conn| bench.handle(Event::Disconnected { conn }),
    ];
    for leave in leaves {
        let mut bench = Bench::with_card();
        let (a, b) = (bench.admitted(A), bench.admitted(B));
        bench.open(a, 1);
        let use_id = bench.started();
        bench.open(a, 2);
        bench.open(b, 1);
        bench.seen.clear();
        leave(&mut bench, a);
        assert!(bench.is_cancelled(use_id));
        assert_eq!(bench.refusals(), []);
        bench.free(use_id);
        let next = bench.started();
        bench.establish(next);
        bench.expect_delivered(b, 1);
        bench.free(next);
        bench.expect_nothing();
    }
}

#[test]
fn closing_what_is_not_there_is_harmless() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.close(conn, 99);
    bench.expect_nothing();
}

#[test]
fn refusals_of_one_domain_with_one_code_are_one_record_with_a_count() {
    let mut bench = Bench::new();
    let conn = bench.admitted(A);
    for session in 0..5 {
        bench.open(conn, session);
    }
    bench.pass(std::time::Duration::from_secs(11));
    let records: Vec<u64> = bench
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Audited(AuditEvent::SessionRefused(refusals)) => Some(refusals.count),
            _ => None,
        })
        .collect();
    assert_eq!(records, [1, 4]);
    assert_eq!(bench.refusals().len(), 5);
}

#[test]
fn when_the_service_stops_everybody_is_told_and_nothing_new_begins() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let use_id = bench.started();
    bench.open(b, 2);
    bench.seen.clear();
    bench.handle(Event::Stopping);
    assert!(bench.is_closed(a) && bench.is_closed(b) && bench.is_cancelled(use_id));
    let mut refusals = bench.refusals();
    refusals.sort_by_key(|(session, _)| *session);
    assert_eq!(
        refusals,
        [
            (Some(1), RefusalCode::Internal),
            (Some(2), RefusalCode::Internal)
        ]
    );
    let late = bench.connect(A);
    assert!(bench.is_closed(late));
}

#[test]
fn a_card_that_does_not_return_is_stuck_until_it_does() {
    let mut bench = Bench::with_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    bench.open(a, 1);
    let use_id = bench.started();
    bench.open(b, 1);
    bench.seen.clear();
    bench.pass(std::time::Duration::from_secs(31));
    assert!(bench.is_cancelled(use_id));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Timeout)]);
    bench.pass(std::time::Duration::from_secs(11));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::CardFailed)]);
    assert_eq!(bench.broker.snapshot().cards[0].state, CardState::Stuck);
    bench.open(b, 2);
    assert_eq!(bench.refusals(), [(Some(2), RefusalCode::CardFailed)]);
    bench.free(use_id);
    bench.open(b, 3);
    bench.started();
}

#[test]
fn an_alert_of_the_server_is_recorded_once_and_only_for_sessions_with_keys() {
    let close = |session, alert| {
        AgentMessage::Close(Close {
            session: SessionId(session),
            alert: Some(alert),
        })
    };
    let ended = |bench: &Bench| -> Vec<String> {
        let alert = |seen: &Seen| match seen {
            Seen::Audited(AuditEvent::SessionClosed(closed)) => closed.alert.clone(),
            _ => None,
        };
        bench.seen.iter().filter_map(alert).collect()
    };
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.say(conn, close(7, AlertDescription::UNKNOWN_CA));
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.say(conn, close(1, AlertDescription::UNKNOWN_CA));
    bench.free(use_id);
    assert_eq!(ended(&bench), [""; 0], "neither had keys");

    bench.open(conn, 2);
    let use_id = bench.started();
    bench.establish(use_id);
    for alert in [
        AlertDescription::CERTIFICATE_REQUIRED,
        AlertDescription::UNKNOWN_CA,
    ] {
        bench.say(conn, close(2, alert));
    }
    assert_eq!(ended(&bench), ["certificate_required"]);
}

//! Domains that end, are replaced, or cannot be told who they are.

use proto::agent::{Dom0Message, RefusalCode};
use proto::id::DomId;

use super::bench::{A, B, Bench, Seen, uuid};
use crate::audit::AuditEvent;
use crate::broker::{ConnId, Event};
use crate::card::WorkerCommand;
use crate::mapping::{ReadFault, Reason};

fn ended(domid: DomId) -> Event {
    Event::DomainEnded {
        domid,
        domain: uuid(domid),
        successor: None,
    }
}

/// Whether the guest was told that its right ended, before anything else.
fn is_revoked_first(bench: &Bench, conn: ConnId) -> bool {
    let told = bench.seen.iter().find_map(|seen| match seen {
        Seen::Told(to, message) if *to == conn => Some(message),
        _ => None,
    });
    let code = RefusalCode::NotBound;
    matches!(told, Some(Dom0Message::Revoked { code: came }) if *came == code)
}

#[test]
fn a_domain_that_ends_loses_what_runs_what_waits_and_its_channels() {
    let mut bench = Bench::with_card();
    let (first, second, other) = (bench.admitted(A), bench.admitted(A), bench.admitted(B));
    bench.open(first, 1);
    let use_id = bench.started();
    bench.open(second, 2);
    bench.open(other, 3);
    bench.seen.clear();

    bench.handle(ended(A));
    for conn in [first, second] {
        assert!(is_revoked_first(&bench, conn));
        assert!(bench.is_closed(conn));
    }
    assert!(bench.is_cancelled(use_id));
    assert!(!bench.is_closed(other));
    let audited = |seen: &Seen| match seen {
        Seen::Audited(AuditEvent::DomainEnded { connections, .. }) => Some(*connections),
        _ => None,
    };
    assert_eq!(bench.seen.iter().find_map(audited), Some(2));
    let refusals = [
        (Some(1), RefusalCode::NotBound),
        (Some(2), RefusalCode::NotBound),
    ];
    assert_eq!(bench.refusals(), refusals);

    // Keys that come all the same stay here, and the card goes to who waits.
    bench.establish(use_id);
    bench.expect_nothing();
    bench.free(use_id);
    bench.started();
}

#[test]
fn keys_that_wait_for_their_last_judgement_stay_here() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.reads_hang = true;
    bench.establish(use_id);
    bench.handle(ended(A));
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::NotBound)]);
    bench.reads_hang = false;
    bench.answer_reads();
    bench.expect_nothing();
}

#[test]
fn a_successor_under_the_same_domid_inherits_nothing() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.handle(Event::DomainEnded {
        domid: A,
        domain: uuid(A),
        successor: Some(uuid(B)),
    });
    assert!(is_revoked_first(&bench, conn) && bench.is_closed(conn));
}

#[test]
fn the_end_of_an_earlier_domain_does_not_concern_its_successor() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.seen.clear();
    bench.handle(Event::DomainEnded {
        domid: A,
        domain: uuid(B),
        successor: Some(uuid(A)),
    });
    bench.handle(ended(B));
    // A session that the shared card has may have been its.
    let forgets = |seen: &Seen| matches!(seen, Seen::Ordered(WorkerCommand::ForgetSession));
    bench.seen.retain(|seen| !forgets(seen));
    bench.expect_nothing();
    bench.open(conn, 1);
    bench.started();
}

#[test]
fn before_its_welcome_a_guest_has_no_right_that_could_be_revoked() {
    let mut bench = Bench::new();
    let conn = bench.connect(A);
    bench.handle(ended(A));
    assert!(bench.is_closed(conn) && !is_revoked_first(&bench, conn));
}

#[test]
fn who_cannot_be_identified_is_told_so_and_recorded() {
    let why = ReadFault::Unreachable;
    for (reason, code) in [
        (Reason::DomainGone { domid: A }, RefusalCode::NotBound),
        (
            Reason::DomainUnreadable { domid: A, why },
            RefusalCode::Internal,
        ),
    ] {
        let mut bench = Bench::new();
        let conn = ConnId(9);
        let text = reason.to_string();
        bench.handle(Event::Unidentified {
            conn,
            domid: A,
            reason,
        });
        assert!(bench.is_closed(conn));
        let audited = |seen: &Seen| match seen {
            Seen::Audited(AuditEvent::SessionRefused(refusals)) => Some(refusals.clone()),
            _ => None,
        };
        let refusals = bench.seen.iter().find_map(audited).expect("recorded");
        assert_eq!((refusals.domain, refusals.reason), (None, text));
        assert_eq!(bench.refusals(), [(None, code)]);
        // What else comes over that connection concerns nobody.
        bench.hello(conn);
        bench.expect_nothing();
    }
}

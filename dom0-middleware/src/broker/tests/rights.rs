//! Tokens and bindings that begin and end while guests are connected.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proto::agent::{Dom0Message, RefusalCode};
use proto::id::DomId;

use super::bench::{A, B, Bench, Seen, binding, token, uuid};
use crate::audit::AuditEvent;
use crate::broker::{ConnId, Event, Unresumable};
use crate::card::{Trust, WorkerCommand};
use crate::limits::Limits;
use crate::mapping::VerifiedToken;
use crate::time::UnixTime;

/// Makes session 1 of a guest's new connection and gives it its keys.
fn with_established(bench: &mut Bench) -> ConnId {
    let conn = bench.admitted(A);
    establish(bench, conn, 1);
    conn
}

fn establish(bench: &mut Bench, conn: ConnId, session: u32) {
    bench.open(conn, session);
    let use_id = bench.started();
    bench.establish(use_id);
    bench.expect_delivered(conn, session);
    bench.free(use_id);
    bench.seen.clear();
}

fn revoke(bench: &mut Bench) {
    let cti = bench.tokens[&A].cti;
    bench.handle(Event::TokenRevoked { cti });
}

fn tokens_from(bench: &mut Bench, from: UnixTime) {
    let domain = uuid(A);
    bench.handle(Event::TokensFrom { domain, from });
}

fn later(bench: &Bench, by: u64) -> UnixTime {
    UnixTime(bench.now.unix.0 + Duration::from_secs(by))
}

/// How many sessions the records say ended with a right.
fn ended(bench: &Bench) -> Vec<usize> {
    let count = |seen: &Seen| match seen {
        Seen::Audited(AuditEvent::RightEnded { sessions, .. }) => Some(*sessions),
        _ => None,
    };
    bench.seen.iter().filter_map(count).collect()
}

#[test]
fn each_way_a_token_can_be_wrong_is_refused_at_hello() {
    type Change = fn(&mut VerifiedToken);
    let wrong: [(Change, RefusalCode); 6] = [
        (|t| t.sub = uuid(B), RefusalCode::BadToken),
        (|t| t.cnf_matches_channel = false, RefusalCode::BadToken),
        (|t| t.iss.0 = [1; 32], RefusalCode::BadToken),
        (|t| t.exp = t.iat, RefusalCode::TokenExpired),
        (
            |t| t.nbf = Some(UnixTime(t.iat.0 + Duration::from_secs(9))),
            RefusalCode::TokenExpired,
        ),
        (|t| t.vm_cert_sha256 = vec![[7; 32]], RefusalCode::BadToken),
    ];
    for (n, (change, code)) in wrong.into_iter().enumerate() {
        let mut bench = Bench::with_card();
        change(bench.tokens.get_mut(&A).expect("there"));
        let conn = bench.connect(A);
        bench.hello(conn);
        assert!(bench.is_closed(conn), "case {n}");
        assert_eq!(bench.refusals(), [(None, code)], "case {n}");
        bench.admitted(B);
    }
}

#[test]
fn a_revoked_token_ends_what_was_made_with_it_and_nothing_else() {
    let mut bench = Bench::with_card();
    let conn = with_established(&mut bench);
    let other = bench.admitted(B);
    bench.open(conn, 2);
    let use_id = bench.started();
    bench.open(conn, 3);
    bench.open(other, 1);
    bench.seen.clear();

    revoke(&mut bench);
    assert!(bench.is_cancelled(use_id), "no key leaves");
    assert_eq!(ended(&bench), [3]);
    let refused =
        |seen: &Seen| matches!(seen, Seen::Told(c, Dom0Message::Refused(_)) if *c == conn);
    assert_eq!(bench.seen.iter().filter(|seen| refused(seen)).count(), 2);
    assert_eq!(bench.revocations(), [(conn, RefusalCode::TokenRevoked)]);

    bench.free(use_id);
    bench.started();
    bench.open(conn, 4);
    assert_eq!(bench.refusals(), [(Some(4), RefusalCode::TokenRevoked)]);
    let again = bench.connect(A);
    bench.hello(again);
    assert_eq!(bench.refusals(), [(None, RefusalCode::TokenRevoked)]);
}

#[test]
fn nothing_is_resumed_that_was_made_under_a_right_that_has_ended() {
    type End = fn(&mut Bench);
    let ends: [(End, bool); 4] = [
        (revoke, true),
        (|bench| tokens_from(bench, later(bench, 1)), true),
        (|bench| bench.handle(gone(A)), true),
        // While it is away a token only runs out: the next one says the same.
        (|bench| bench.pass(SOON), false),
    ];
    for (n, (end, counts_when_away)) in ends.into_iter().enumerate() {
        for is_away in [false, true] {
            let mut bench = Bench::with_card();
            let exp = UnixTime(bench.now.unix.0 + SOON);
            bench.tokens.get_mut(&A).expect("there").exp = exp;
            let conn = with_established(&mut bench);
            if is_away {
                bench.handle(Event::Disconnected { conn });
            }
            bench.seen.clear();
            end(&mut bench);
            let told = !is_away || counts_when_away;
            assert_eq!(forgotten(&bench), (told, told), "{n}, away: {is_away}");
        }
    }
}

/// When a token ends that is about to.
const SOON: Duration = Duration::from_secs(10);

/// The domain is no more.
fn gone(domid: DomId) -> Event {
    Event::DomainEnded {
        domid,
        domain: uuid(domid),
        successor: None,
    }
}

/// Whether engines and card were told to forget what was made for the domain.
fn forgotten(bench: &Bench) -> (bool, bool) {
    let engines =
        |seen: &Seen| matches!(seen, Seen::Unresumable(Unresumable::Domain(of)) if *of == uuid(A));
    let worker = |seen: &Seen| matches!(seen, Seen::Ordered(WorkerCommand::ForgetSession));
    (
        bench.seen.iter().any(engines),
        bench.seen.iter().any(worker),
    )
}

#[test]
fn a_revoked_token_of_keys_that_are_about_to_leave_keeps_them_here() {
    let mut bench = Bench::with_card();
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let use_id = bench.started();
    bench.reads_hang = true;
    bench.establish(use_id);
    revoke(&mut bench);
    bench.seen.clear();
    bench.reads_hang = false;
    bench.answer_reads();
    bench.expect_nothing();
}

#[test]
fn another_token_on_the_same_connection_brings_the_right_back() {
    let mut bench = Bench::with_card();
    let conn = with_established(&mut bench);
    revoke(&mut bench);
    bench.tokens.get_mut(&A).expect("there").cti = [9; 16];
    bench.seen.clear();
    bench.hello(conn);
    assert!(matches!(
        bench.seen.pop(),
        Some(Seen::Told(_, Dom0Message::Welcome(_)))
    ));
    establish(&mut bench, conn, 2);
}

#[test]
fn a_token_that_is_not_good_changes_nothing_for_who_has_a_good_one() {
    let mut bench = Bench::with_card();
    let conn = with_established(&mut bench);
    let good = bench.tokens[&A].clone();
    bench.tokens.get_mut(&A).expect("there").sub = uuid(B);
    bench.hello(conn);
    assert_eq!(bench.refusals(), [(None, RefusalCode::BadToken)]);
    bench.tokens.insert(A, good);
    establish(&mut bench, conn, 2);
}

#[test]
fn a_token_ends_at_its_second_and_the_guest_is_told_then() {
    let mut bench = Bench::with_card();
    let exp = later(&bench, 1_000);
    bench.tokens.get_mut(&A).expect("there").exp = exp;
    let conn = with_established(&mut bench);
    keep_alive(&mut bench, conn, Duration::from_millis(999_999));
    assert_eq!(bench.revocations(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.revocations(), [(conn, RefusalCode::TokenExpired)]);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.revocations(), [], "said once");
    bench.open(conn, 7);
    assert_eq!(bench.refusals(), [(Some(7), RefusalCode::TokenExpired)]);
}

/// Lets time pass with a guest that gives signs of life.
fn keep_alive(bench: &mut Bench, conn: ConnId, time: Duration) {
    let end = bench.now.monotonic + time;
    while bench.now.monotonic < end {
        let left = end.saturating_duration_since(bench.now.monotonic);
        bench.pass(left.min(Duration::from_secs(50)));
        bench.say(conn, proto::agent::AgentMessage::Pong);
    }
}

#[test]
fn tokens_of_before_end_and_tokens_of_after_do_not() {
    let mut bench = Bench::with_card();
    let conn = with_established(&mut bench);
    let from = bench.now.unix;
    tokens_from(&mut bench, from);
    assert_eq!(bench.revocations(), [], "issued in that very moment");
    let from = later(&bench, 10);
    tokens_from(&mut bench, from);
    assert_eq!(bench.revocations(), [(conn, RefusalCode::TokenRevoked)]);
    let before = UnixTime::default();
    tokens_from(&mut bench, before);
    let again = bench.connect(A);
    bench.hello(again);
    assert_eq!(bench.refusals(), [(None, RefusalCode::TokenRevoked)]);
    bench.pass(Duration::from_secs(10));
    let fresh = token(A, bench.now);
    bench.tokens.insert(A, fresh);
    bench.admitted(A);
}

/// Binds the first guest to the second one's identity as well, instead of the second one.
fn bind_second_to_first(bench: &mut Bench) {
    let certificates = [A, B].map(|of| bench.tokens[&of].vm_cert_sha256[0]);
    bench.tokens.get_mut(&A).expect("there").vm_cert_sha256 = certificates.to_vec();
    bench.handle(Event::Unbound {
        binding: Bench::binding_of(B),
    });
    let mut second = binding(B);
    second.domain = uuid(A);
    let trust = Trust::load(&[], HashMap::new()).expect("trust in nobody");
    bench.handle(Event::Bound {
        binding: second,
        trust: Arc::new(trust),
    });
    bench.seen.clear();
}

#[test]
fn one_of_several_bindings_ends_alone() {
    let mut bench = Bench::with_card();
    bind_second_to_first(&mut bench);
    let conn = bench.admitted(A);
    for (session, identity) in [(1, "id-1"), (2, "id-2")] {
        bench.open_with(conn, session, |open| {
            open.identity = Some(identity.to_owned())
        });
        let use_id = bench.started();
        bench.establish(use_id);
        bench.expect_delivered(conn, session);
        bench.free(use_id);
    }
    bench.seen.clear();
    bench.handle(Event::Unbound {
        binding: Bench::binding_of(A),
    });
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::NotBound)]);
    let id_2 = bench.broker.table().iter().next().expect("one is left").0;
    bench.handle(Event::Unbound { binding: id_2 });
    assert_eq!(bench.revocations(), [(conn, RefusalCode::NotBound)]);
}

#[test]
fn with_a_session_that_nobody_remembers_all_of_them_end() {
    let mut bench = Bench::with(Limits {
        // One for each connection.
        sessions_per_domain: 4,
        ..Limits::default()
    });
    bench.plug_in();
    bind_second_to_first(&mut bench);
    let conn = bench.admitted(A);
    for session in [1, 2] {
        bench.open_with(conn, session, |open| {
            open.identity = Some("id-1".to_owned())
        });
        let use_id = bench.started();
        bench.establish(use_id);
        bench.expect_delivered(conn, session);
        bench.free(use_id);
    }
    bench.open_with(conn, 3, |open| open.identity = Some("id-2".to_owned()));
    let use_id = bench.started();
    bench.handle(Event::Unbound {
        binding: Bench::binding_of(A),
    });
    assert!(bench.is_cancelled(use_id), "its agent gives it up as well");
    assert_eq!(bench.revocations(), [(conn, RefusalCode::NotBound)]);
}

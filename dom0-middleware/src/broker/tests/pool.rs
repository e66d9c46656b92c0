//! A domain with two cards that are as good as each other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proto::agent::{Dom0Message, RefusalCode};
use proto::id::Seid;

use super::bench::{A, B, Bench, Seen, binding, card, other_card};
use crate::broker::{EngineCommand, Event};
use crate::card::{CardError, Door, TransportError, Trust, UseId, WorkerReport};
use crate::mapping::{Binding, Terms};

fn bench(door: Door) -> Bench {
    let mut bench = Bench::new();
    bench.plug_in_as(door);
    bench.add_to_pool(A, &other_card(), door);
    bench.seen.clear();
    bench
}

/// The use that was started last, and where.
fn started(bench: &mut Bench) -> (UseId, Seid) {
    let use_id = bench.started();
    (use_id, bench.placed[&use_id].clone())
}

/// Runs a handshake that took this long.
fn finish(bench: &mut Bench, (use_id, seid): (UseId, Seid), took: Duration) {
    bench.pass(took);
    let session = Box::new(super::bench::session_with(1));
    bench.report_of(&seid, WorkerReport::Established { use_id, session });
    let card_time = took;
    bench.report_of(&seid, WorkerReport::Free { use_id, card_time });
    bench.seen.clear();
}

fn gone() -> WorkerReport {
    let why = CardError::Transport(TransportError::Removed);
    WorkerReport::Gone { why }
}

#[test]
fn handshakes_go_to_the_card_that_is_free() {
    let mut bench = bench(Door::EapTls);
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let first = started(&mut bench);
    bench.open(conn, 2);
    let second = started(&mut bench);
    assert_ne!(first.1, second.1);
    // Both are busy: the one that began first is expected to be free first.
    bench.pass(Duration::from_millis(1));
    bench.open(conn, 3);
    let queues = bench.broker.queues();
    let waiting: Vec<usize> = queues.iter().map(|queue| queue.waiting.len()).collect();
    assert_eq!(waiting.iter().sum::<usize>(), 1);
    let queue = queues
        .iter()
        .find(|queue| !queue.waiting.is_empty())
        .expect("one");
    let waiting = &queue.waiting[0];
    assert_eq!(waiting.pool.len(), 1, "the other card is named");
    assert_ne!(waiting.pool[0], queue.seid);
}

#[test]
fn a_slow_card_gets_fewer_handshakes_than_a_fast_one() {
    let mut bench = bench(Door::EapTls);
    let conn = bench.admitted(A);
    let mut count = HashMap::new();
    let mut open = 0;
    // Each card is seen once, so that its time is known.
    for _ in 0..2 {
        open += 1;
        bench.open(conn, open);
        let (use_id, seid) = started(&mut bench);
        let took = if seid == card() { 2_000 } else { 100 };
        finish(&mut bench, (use_id, seid), Duration::from_millis(took));
    }
    for _ in 0..20 {
        open += 1;
        // Never the same server twice, so nothing is resumed.
        let name = format!("s{open}.example");
        bench.open_with(conn, open, |open| open.server_name = name);
        let (use_id, seid) = started(&mut bench);
        *count.entry(seid.clone()).or_insert(0) += 1;
        finish(&mut bench, (use_id, seid), Duration::from_millis(100));
    }
    assert_eq!(count.get(&other_card()), Some(&20), "{count:?}");
}

#[test]
fn who_waits_for_a_card_that_is_lost_goes_on_with_another_one() {
    let mut bench = bench(Door::EapTls);
    let conn = bench.admitted(A);
    for session in 1..=4 {
        bench.open(conn, session);
    }
    let placed = bench.placed.clone();
    let running = placed.iter().find(|(_, seid)| **seid == card());
    let (&running, _) = running.expect("one on each");
    bench.seen.clear();
    bench.report(gone());
    // The one that had it hears of it from the worker; the others of it are not refused.
    assert_eq!(bench.refusals(), []);
    let waiting = |bench: &Bench, seid: &Seid| {
        let queues = bench.broker.queues();
        let queue = queues.iter().find(|queue| queue.seid == *seid);
        queue.expect("there").waiting.len()
    };
    assert_eq!(waiting(&bench, &card()), 0);
    assert_eq!(waiting(&bench, &other_card()), 2);
    bench.fail(running, crate::card::SessionError::CardRemoved);
    assert_eq!(bench.refusals().len(), 1);

    // Without any card there is nowhere to go.
    bench.report_of(&other_card(), gone());
    let refused = bench.refusals();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused.iter().all(|(_, code)| *code == RefusalCode::NoCard));
}

/// When guests were told that they may ask again, in milliseconds.
fn retries(bench: &Bench) -> Vec<Option<u64>> {
    let refused = bench.seen.iter().filter_map(|seen| match seen {
        Seen::Told(_, Dom0Message::Refused(refused)) => Some(refused.retry_after_ms),
        _ => None,
    });
    refused.collect()
}

#[test]
fn a_handshake_that_has_begun_and_lost_its_card_may_be_tried_with_the_other_one_at_once() {
    for wants_signature in [false, true] {
        let mut bench = bench(Door::Piv);
        let conn = bench.admitted(A);
        let mut running = None;
        for session in 1..=2 {
            bench.open(conn, session);
            let orders = bench.engine_orders();
            let [(_, EngineCommand::Begin(request))] = orders.as_slice() else {
                panic!("{orders:?}");
            };
            let is_here = request.seid == card();
            if wants_signature {
                bench.engine_wants_signature(conn, session, 1);
                let use_id = bench.signing().use_id;
                running = running.or_else(|| is_here.then_some(use_id));
            }
        }
        bench.seen.clear();
        bench.report(gone());
        // The one that has the card hears of it from the worker.
        if let Some(running) = running {
            bench.fail(running, crate::card::SessionError::CardRemoved);
        }
        assert_eq!(retries(&bench), [Some(0)], "{wants_signature}");
        bench.seen.clear();
        bench.open(conn, 3);
        assert_eq!(bench.refusals(), [], "the other card is there");
        bench.seen.clear();
        // Now there is nowhere to go.
        bench.report_of(&other_card(), gone());
        let told = retries(&bench);
        assert!(!told.is_empty());
        assert!(told.iter().all(|after| *after == Some(5_000)));
    }
}

#[test]
fn a_card_that_is_not_there_is_passed_over() {
    let mut bench = bench(Door::EapTls);
    let conn = bench.admitted(A);
    bench.report(gone());
    bench.seen.clear();
    for session in 1..=2 {
        bench.open(conn, session);
    }
    assert_eq!(started(&mut bench).1, other_card());
    let queues = bench.broker.queues();
    let waiting: Vec<_> = queues.iter().flat_map(|queue| &queue.waiting).collect();
    assert_eq!(waiting.len(), 1);
    assert!(waiting[0].pool.is_empty(), "nobody could have had it");
    bench.report_of(&other_card(), gone());
    bench.seen.clear();
    bench.open(conn, 3);
    assert_eq!(bench.refusals(), [(Some(3), RefusalCode::NoCard)]);
}

#[test]
fn signing_cards_share_the_handshakes_that_have_not_signed_yet() {
    let mut bench = bench(Door::Piv);
    let conn = bench.admitted(A);
    for session in 1..=4 {
        bench.open(conn, session);
    }
    let mut cards = HashMap::new();
    for (_, command) in bench.engine_orders() {
        let EngineCommand::Begin(request) = command else {
            panic!("{command:?}");
        };
        *cards.entry(request.seid.clone()).or_insert(0) += 1;
    }
    assert_eq!(cards, HashMap::from([(card(), 2), (other_card(), 2)]));
}

#[test]
fn cards_on_other_terms_are_no_pool_and_an_identity_must_be_named() {
    let mut bench = Bench::with_card();
    let other = Binding {
        seid: other_card(),
        terms: Terms {
            resume: false,
            ..binding(B).terms
        },
        ..binding(B)
    };
    let trust = Arc::new(Trust::load(&[], HashMap::new()).expect("no CA"));
    bench.handle(Event::Bound {
        binding: other,
        trust,
    });
    let conn = bench.admitted(B);
    bench.open(conn, 1);
    assert_eq!(bench.refusals(), [(Some(1), RefusalCode::Policy)]);
}

#[test]
fn a_session_that_was_granted_one_card_does_not_get_its_keys_from_another() {
    let mut bench = bench(Door::EapTls);
    let conn = bench.admitted(A);
    bench.open(conn, 1);
    let (use_id, seid) = started(&mut bench);
    let other = match seid == card() {
        true => other_card(),
        false => card(),
    };
    let session = Box::new(super::bench::session_with(1));
    bench.report_of(&other, WorkerReport::Established { use_id, session });
    let delivered = |seen: &Seen| matches!(seen, Seen::Delivered(..));
    assert!(!bench.seen.iter().any(delivered));
}

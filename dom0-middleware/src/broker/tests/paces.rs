//! How long cards take, as the broker learns it.

use std::time::Duration;

use super::bench::{A, B, Bench, card, certificate};
use crate::broker::{ConnId, PaceView, PacesView};
use crate::card::{CardIdentity, Door, WorkerReport};

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Makes one handshake, for whose signature the card takes so long.
fn sign(bench: &mut Bench, conn: ConnId, session: u32, card_time: Duration) {
    bench.open(conn, session);
    bench.engine_says_client_hello(conn, session);
    bench.engine_wants_signature(conn, session, 7);
    let use_id = bench.signing().use_id;
    bench.pass(card_time);
    bench.report(WorkerReport::Signed { use_id, card_time });
    bench.free(use_id);
    bench.engine_establishes(conn, session);
    bench.expect_delivered(conn, session);
}

/// Makes one handshake on a card that makes all of it.
fn shake(bench: &mut Bench, conn: ConnId, session: u32, card_time: Duration) {
    // Never the same server twice, so nothing is expected to be resumed.
    let name = format!("s{session}.example");
    bench.open_with(conn, session, |open| open.server_name = name);
    let use_id = bench.started();
    bench.pass(card_time);
    let mut made = super::bench::session_with(1);
    made.card_time = card_time;
    let made = Box::new(made);
    bench.report(WorkerReport::Established {
        use_id,
        session: made,
    });
    bench.report(WorkerReport::Free { use_id, card_time });
    bench.expect_delivered(conn, session);
}

fn paces(bench: &Bench) -> PacesView {
    bench.broker.snapshot().cards[0].pace.clone()
}

fn signature(paces: &PacesView, identity: &str) -> PaceView {
    let mut of = paces.signatures.iter();
    let of = of.find(|of| of.identity.as_str() == identity);
    of.expect("one of the card's").pace
}

#[test]
fn identities_of_one_card_that_signs_are_measured_apart() {
    let mut bench = Bench::with_signing_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    for session in 1..=20 {
        sign(&mut bench, a, session, ms(50));
    }
    for session in 1..=20 {
        sign(&mut bench, b, session, ms(900));
    }
    let paces = paces(&bench);
    assert_eq!(paces.drifted().count(), 0, "{paces:?}");
    let (fast, slow) = (signature(&paces, "id-1"), signature(&paces, "id-2"));
    assert_eq!((fast.measured, fast.expected_ms), (20, 50));
    assert_eq!((slow.measured, slow.expected_ms), (20, 900));
}

#[test]
fn who_waits_is_told_the_times_of_the_identities_before_it() {
    let mut bench = Bench::with_signing_card();
    let (a, b) = (bench.admitted(A), bench.admitted(B));
    sign(&mut bench, a, 1, ms(50));
    sign(&mut bench, b, 1, ms(900));
    for conn in [b, a] {
        bench.open(conn, 2);
        bench.engine_says_client_hello(conn, 2);
        bench.engine_wants_signature(conn, 2, 7);
    }
    let queues = bench.broker.queues();
    let waiting = &queues[0].waiting;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].expected_ms, 900, "b has the card");
}

#[test]
fn another_card_in_the_same_place_is_measured_anew() {
    for door in [Door::EapTls, Door::Piv] {
        let mut bench = Bench::new();
        bench.plug_in_as(door);
        let conn = bench.admitted(A);
        for session in 1..=20 {
            match door {
                Door::EapTls => shake(&mut bench, conn, session, ms(50)),
                Door::Piv => sign(&mut bench, conn, session, ms(50)),
            }
        }
        let measured = |bench: &Bench| match door {
            Door::EapTls => paces(bench).full.expect("whole handshakes").measured,
            Door::Piv => signature(&paces(bench), "id-1").measured,
        };
        assert_eq!(measured(&bench), 20);
        bench.plug_in_as(door);
        assert_eq!(measured(&bench), 20, "it only came back");
        let identity = CardIdentity {
            name: "id-1".parse().expect("a name"),
            certificate: Some(certificate(B)),
            schemes: Vec::new(),
        };
        bench.plug_in_with(&card(), door, vec![identity]);
        assert_eq!(measured(&bench), 0, "another one");
    }
}

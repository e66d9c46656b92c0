//! Handshakes with a card of another host: over TLS, by the machine of our own server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::racs::SeidToken;

use super::bench::Bench;
use crate::card::eap_tls::testing::FakeCard;
use crate::card::error::SessionError;
use crate::card::racs::RacsSource;
use crate::card::report::{WorkerCommand, WorkerReport};
use crate::racs::client::testing::{OurGrid, Pki, Reply, serve};

/// What a test sees of the other host.
struct Other {
    card: Arc<Mutex<FakeCard>>,
    requests: Arc<AtomicUsize>,
    _pki: Pki,
}

/// A worker whose card is on another host; `spoil` may answer instead of its server.
fn bench(mut spoil: impl FnMut(&str) -> Option<Reply> + Send + 'static) -> (Bench, Other) {
    let pki = Pki::new();
    let card = Arc::new(Mutex::new(FakeCard::default()));
    let requests = Arc::new(AtomicUsize::new(0));
    let (inside, counted) = (Arc::clone(&card), Arc::clone(&requests));
    let mut grid = OurGrid::new("remote", move |command: Option<&CommandApdu>| {
        let mut card = inside.lock().unwrap_or_else(PoisonError::into_inner);
        match command {
            Some(command) => card.transmit(command),
            None => {
                card.reset();
                ResponseApdu::new(Vec::new(), StatusWord(0x9000))
            }
        }
    });
    let mut last = 0;
    let address = serve(pki.server(2100).both, move |number, request| {
        if number != last {
            last = number;
            grid.connected();
        }
        counted.fetch_add(1, Ordering::AcqRel);
        spoil(request).unwrap_or_else(|| grid.answer(request))
    });
    let seid = SeidToken::try_from(&b"remote"[..]).expect("a name");
    let source = RacsSource::new(pki.grid(&address), seid);
    let bench = Bench::with_source(Box::new(source));
    let other = Other {
        card,
        requests,
        _pki: pki,
    };
    (bench, other)
}

#[test]
fn a_card_of_another_host_makes_handshakes_in_few_requests() {
    let (mut bench, other) = bench(|_| None);
    bench.await_present();
    let commands = |other: &Other| other.card.lock().expect("no panic").log.len();
    let (before, asked) = (commands(&other), other.requests.load(Ordering::Acquire));
    let full = bench.full();
    assert!(!full.abbreviated);
    let sent = commands(&other) - before;
    let first = other.requests.load(Ordering::Acquire) - asked;
    assert!(first + 5 <= sent, "{sent} commands in {first} requests");
    let resumed = bench.handshake(vec![bench.server.abbreviated()]);
    assert!(resumed.abbreviated);
    let verified = other.card.lock().expect("no panic").count(0x20, 0);
    assert_eq!(verified, 1, "one VERIFY for all");

    // By now the card was seen to know FETCH, so that the grid does it.
    let (before, asked) = (commands(&other), other.requests.load(Ordering::Acquire));
    bench.send(WorkerCommand::ForgetSession);
    assert!(!bench.full().abbreviated);
    let again = other.requests.load(Ordering::Acquire) - asked;
    // Set-Identity and Reset-State were its last commands.
    let seen = commands(&other) - before;
    assert_eq!(seen + 2, sent, "the card sees the same");
    assert!(again < first, "{again} requests instead of {first}");
}

#[test]
fn a_grid_that_dies_in_a_handshake_fails_that_one_alone() {
    let mut cut = false;
    let (mut bench, _other) = bench(move |request| {
        // The server's flight, in segments.
        let now = request.contains("A0800100") && !cut;
        cut |= now;
        now.then_some(Reply::Close)
    });
    bench.await_present();
    let use_id = bench.start();
    bench.await_hello(use_id);
    let flight = bench.server.full();
    bench.answer(use_id, flight);
    let (error, _) = bench.await_failure(use_id);
    assert_eq!(error, SessionError::CardRemoved);
    loop {
        match bench.next() {
            WorkerReport::Free { .. } => break,
            // It is opened again, with one more VERIFY.
            WorkerReport::Gone { .. } | WorkerReport::Present { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(!bench.full().abbreviated);
}

#[test]
fn a_failure_in_a_chain_is_named_with_the_status_that_our_server_says() {
    let (mut bench, other) = bench(|_| None);
    bench.await_present();
    other.card.lock().expect("no panic").answers =
        Some(Box::new(|command, answer| match command.ins {
            0x16 => ResponseApdu::new(Vec::new(), StatusWord(0x6A88)),
            _ => answer,
        }));
    let use_id = bench.start();
    let (error, _) = bench.await_failure(use_id);
    assert!(error.to_string().contains("6A88"), "{error}");
    assert!(error.to_string().contains("Set-Identity"), "{error}");
}

#[test]
fn why_a_grid_was_lost_is_known_with_its_loss() {
    let mut cut = false;
    let (mut bench, _other) = bench(move |request| {
        cut |= request.contains("A0800100");
        cut.then_some(Reply::Close)
    });
    bench.await_present();
    let use_id = bench.start();
    bench.await_hello(use_id);
    let flight = bench.server.full();
    bench.answer(use_id, flight);
    bench.await_failure(use_id);
    let report = bench.next();
    let WorkerReport::Trouble { trouble: Some(why) } = &report else {
        panic!("{report:?}")
    };
    assert!(why.to_string().contains("closed the connection"), "{why}");
    let report = bench.next();
    assert!(matches!(report, WorkerReport::Gone { .. }), "{report:?}");
}

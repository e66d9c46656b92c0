//! The worker against a card made of switches: what it reports, in which order, and that it is
//! there for the next one whatever happened.

mod adoption;
mod bench;
mod chains;
mod lending;
mod pin_sequences;
mod piv;
mod racs;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::tls::ProtocolVersion;

use self::bench::{Bench, write_pin};
use crate::card::eap_tls::testing::FakeCard;
use crate::card::eap_tls::testing::tls::Server;
use crate::card::error::{CardError, SessionError};
use crate::card::fault::CardFault;
use crate::card::fingerprint::Difference;
use crate::card::job::{SignJob, SignatureSlot, UseId};
use crate::card::pin::PinSource;
use crate::card::report::{PinInquiry, Reopen, WorkerCommand, WorkerReport};
use crate::card::transport::TransportError;
use crate::card::trust::TrustError;
use crate::state::{DurablePinLedger, State};

const AT_REST: [(u8, u8); 2] = [(0x19, 0x10), (0x16, 0x00)];

#[test]
fn handshakes_follow_each_other_and_the_second_is_resumed() {
    let mut bench = Bench::new();
    match bench.next() {
        WorkerReport::Present {
            identities,
            features,
            profile,
            ..
        } => {
            let names: Vec<_> = identities.iter().map(|i| i.name.as_str()).collect();
            assert_eq!(names, ["alice", "bob"]);
            assert!(features.server_name && features.alpn && features.forget);
            assert_eq!(features.max_version, ProtocolVersion::TLS1_2);
            assert_eq!(profile, "eap-tls");
        }
        other => panic!("{other:?}"),
    }
    let full = bench.full();
    assert!(!full.abbreviated);
    let flights = bench.server.full().len() + bench.server.last().len();
    assert_eq!(full.consumed, flights as u64);
    assert_eq!(bench.last_commands(2), AT_REST);
    let resumed = bench.handshake(vec![bench.server.abbreviated()]);
    assert!(resumed.abbreviated);
    assert_eq!(resumed.peer_certificates, full.peer_certificates);
    assert_eq!(bench.last_commands(2), AT_REST);
    assert_eq!(
        bench.slot.lock().card.count(0x20, 0),
        1,
        "one VERIFY for all"
    );
}

#[test]
fn what_is_forgotten_is_not_resumed() {
    let mut bench = Bench::new();
    bench.await_present();
    bench.full();
    bench.send(WorkerCommand::ForgetSession);
    assert!(!bench.full().abbreviated);
    assert_eq!(
        bench.slot.lock().card.count(0x8A, 0),
        4,
        "two probes, two handshakes"
    );
}

#[test]
fn a_cancelled_use_leaves_the_card_at_rest() {
    let mut bench = Bench::new();
    bench.await_present();
    let use_id = bench.start();
    bench.await_hello(use_id);
    // Of another use: dropped.
    bench.answer(UseId(99), vec![0; 100]);
    bench.send(WorkerCommand::Cancel { use_id: UseId(99) });
    bench.send(WorkerCommand::Cancel { use_id });
    assert_eq!(bench.await_failure(use_id), (SessionError::Cancelled, None));
    bench.await_free(use_id);
    assert_eq!(bench.last_commands(2), AT_REST);
    bench.full();
}

#[test]
fn a_second_start_is_refused_and_disturbs_nothing() {
    let mut bench = Bench::new();
    bench.await_present();
    let first = bench.start();
    bench.await_hello(first);
    let second = bench.start();
    assert_eq!(bench.await_failure(second).0, SessionError::Busy);
    bench.await_free(second);
    bench.answer(first, bench.server.full());
    assert!(matches!(bench.next(), WorkerReport::ClientRecords { use_id, .. } if use_id == first));
}

#[test]
fn a_use_ends_when_its_time_is_up() {
    let mut bench = Bench::with(FakeCard::default(), |settings| {
        settings.handshake_timeout = Duration::from_millis(50);
    });
    bench.await_present();
    let use_id = bench.start();
    bench.await_hello(use_id);
    let (error, _) = bench.await_failure(use_id);
    assert!(matches!(error, SessionError::Timeout { .. }), "{error:?}");
    bench.await_free(use_id);
}

#[test]
fn an_untrusted_server_gets_an_alert() {
    let mut bench = Bench::new();
    bench.await_present();
    let use_id = bench.start();
    bench.await_hello(use_id);
    bench.answer(use_id, Server::default().full());
    let (error, alert) = bench.await_failure(use_id);
    assert!(matches!(
        error,
        SessionError::PeerUntrusted(TrustError::PinMismatch { .. })
    ));
    assert!(alert.is_some());
    bench.await_free(use_id);
}

#[test]
fn a_card_that_fails_is_reset_opened_and_serves_the_next() {
    let faults = [
        TransportError::TimedOut,
        TransportError::Reset,
        TransportError::Garbled(proto::error::DecodeError::Truncated {
            what: "response",
            need: 2,
            got: 0,
        }),
    ];
    for fault in faults {
        let mut bench = Bench::new();
        bench.await_present();
        let use_id = bench.start();
        bench.await_hello(use_id);
        bench.slot.lock().fault = Some(fault.clone());
        bench.answer(use_id, bench.server.full());
        let (error, _) = bench.await_failure(use_id);
        assert!(
            matches!(
                &error,
                SessionError::CardFailed(CardFault::Transport { source, .. }) if *source == fault
            ),
            "{error:?}"
        );
        bench.await_free(use_id);
        assert_eq!(bench.slot.lock().resets, 1);
        assert!(!bench.full().abbreviated);
    }
}

#[test]
fn a_card_that_was_swapped_inside_is_not_used_until_it_is_adopted() {
    let mut bench = Bench::new();
    bench.await_present();
    let use_id = bench.start();
    bench.await_hello(use_id);
    {
        let mut shared = bench.slot.lock();
        shared.card.identities = vec![(b"mallory".to_vec(), None)];
        shared.card.certificate = Some(vec![0x66; 200]);
    }
    bench.answer(use_id, bench.server.full());
    let (error, _) = bench.await_failure(use_id);
    assert!(
        matches!(error, SessionError::CardSwapped { .. }),
        "{error:?}"
    );
    bench.await_unknown(Difference::Identities);
    bench.await_free(use_id);
    let use_id = bench.start();
    assert_eq!(bench.await_failure(use_id).0, SessionError::NoCard);
    bench.await_free(use_id);
    bench.send(WorkerCommand::Reopen(Reopen {
        adopt: true,
        ..Reopen::default()
    }));
    match bench.next() {
        WorkerReport::Present { identities, .. } => {
            assert_eq!(identities[0].name.as_str(), "mallory");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_card_that_leaves_in_a_handshake_may_come_back() {
    let mut bench = Bench::new();
    bench.await_present();
    let use_id = bench.start();
    bench.await_hello(use_id);
    bench.slot.lock().present = false;
    assert_eq!(bench.await_failure(use_id).0, SessionError::CardRemoved);
    assert!(matches!(bench.next(), WorkerReport::Gone { .. }));
    bench.await_free(use_id);

    let use_id = bench.start();
    assert_eq!(bench.await_failure(use_id).0, SessionError::NoCard);
    bench.await_free(use_id);

    bench.insert();
    bench.await_present();
    bench.full();
}

#[test]
fn a_card_that_leaves_at_rest_is_missed() {
    let mut bench = Bench::new();
    bench.await_present();
    bench.full();
    bench.slot.lock().present = false;
    assert!(matches!(bench.next(), WorkerReport::Gone { .. }));
    bench.insert();
    bench.await_present();
    // Another card may be in its place: what the first kept is forgotten.
    assert!(!bench.full().abbreviated);
}

#[test]
fn a_surplus_card_is_reported() {
    let bench = Bench::new();
    bench.await_present();
    bench.source.surplus.store(2, Ordering::Release);
    assert!(matches!(
        bench.next(),
        WorkerReport::SurplusRefused { count: 2 }
    ));
}

#[test]
fn a_wrong_pin_is_tried_once_until_the_file_changes() {
    let card = FakeCard {
        pin: b"4711".to_vec(),
        ..FakeCard::default()
    };
    let mut bench = Bench::with(card, |_| {});
    match bench.next() {
        WorkerReport::Unusable { why } => assert_eq!(
            why,
            CardError::PinRejected {
                tries_left: Some(2)
            }
        ),
        other => panic!("{other:?}"),
    }
    let use_id = bench.start();
    assert_eq!(bench.await_failure(use_id).0, SessionError::PinRequired);
    bench.await_free(use_id);

    // It leaves and comes back: the same PIN is not tried again.
    bench.slot.lock().present = false;
    assert!(matches!(bench.next(), WorkerReport::Gone { .. }));
    bench.insert();
    match bench.next() {
        WorkerReport::Unusable { why } => assert_eq!(why, CardError::PinSpent),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.slot.lock().card.tries, 2);

    write_pin(&bench.pin_file, "4711");
    bench.await_present();
    bench.full();
    assert_eq!(bench.slot.lock().card.count(0x20, 0), 2);
}

#[test]
fn a_wrong_pin_is_tried_once_over_all_restarts_of_the_service() {
    let dir = tempfile::tempdir().expect("a directory");
    let pin_file = dir.path().join("pin");
    write_pin(&pin_file, "0000");
    // All that a new ledger knows is on disk.
    let state = State::open(&dir.path().join("state.db")).expect("opened");
    let start = |tries| {
        let card = FakeCard {
            pin: b"4711".to_vec(),
            tries,
            ..FakeCard::default()
        };
        let ledger = DurablePinLedger::new(state.clone()).expect("randomness");
        let pin = Some(PinSource::File(pin_file.clone()));
        Bench::with_ledger(card, Arc::new(ledger), |settings| settings.pin = pin)
    };
    let unusable = |bench: &Bench| match bench.next() {
        WorkerReport::Unusable { why } => why,
        other => panic!("{other:?}"),
    };
    let first = start(3);
    let tries_left = Some(2);
    assert_eq!(unusable(&first), CardError::PinRejected { tries_left });
    drop(first);
    let second = start(2);
    assert_eq!(unusable(&second), CardError::PinSpent);
    assert_eq!(second.slot.lock().card.count(0x20, 0), 0, "no VERIFY");
    write_pin(&pin_file, "4711");
    second.await_present();
}

#[test]
fn a_stopped_worker_ends_its_use_and_its_thread() {
    let mut bench = Bench::new();
    bench.await_present();
    let use_id = bench.start();
    bench.await_hello(use_id);
    let Bench {
        handle,
        reports,
        slot,
        ..
    } = bench;
    handle.stop();
    let rest: Vec<_> = reports.try_iter().collect();
    assert!(
        matches!(
            rest.as_slice(),
            [
                WorkerReport::Failed {
                    error: SessionError::Stopped,
                    ..
                },
                WorkerReport::Free { .. }
            ]
        ),
        "{rest:?}"
    );
    assert_eq!(
        Arc::strong_count(&slot.0),
        1,
        "the worker has let the card go"
    );
}

#[test]
fn a_card_that_makes_handshakes_gets_no_verify_without_a_pin() {
    let mut bench = Bench::new();
    bench.await_present();
    let inquiry = PinInquiry::new(|look| panic!("{look:?}"));
    bench.send(WorkerCommand::LookAtPin(inquiry));
    bench.full();
    let slot = bench.slot.lock();
    assert_eq!((slot.card.count(0x20, 0), slot.card.tries), (1, 3));
}

#[test]
fn a_card_that_makes_handshakes_signs_nothing() {
    let mut bench = Bench::new();
    bench.await_present();
    let use_id = UseId(99);
    bench.send(WorkerCommand::Sign(Box::new(SignJob {
        use_id,
        identity: "alice".parse().expect("a name"),
        scheme: rustls::SignatureScheme::RSA_PSS_SHA256,
        message: vec![1],
        client_certificate_sha256: [0; 32],
        slot: SignatureSlot::new().0,
    })));
    assert_eq!(bench.await_failure(use_id).0, SessionError::WrongDoor);
    bench.await_free(use_id);
    bench.full();
}

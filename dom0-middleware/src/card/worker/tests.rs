//! The worker against a card made of switches: what it reports, in which order, and that it is
//! there for the next one whatever happened.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::apdu::{Atr, CommandApdu, ResponseApdu};
use proto::id::DomainUuid;
use proto::tls::ProtocolVersion;
use sha2::{Digest, Sha256};

use crate::card::eap_tls::testing::tls::Server;
use crate::card::eap_tls::testing::{FakeCard, client_certificate_sha256, name};
use crate::card::error::{CardError, SessionError};
use crate::card::fault::CardFault;
use crate::card::handle::{CardHandle, spawn_worker};
use crate::card::job::{Job, UseId};
use crate::card::pin::{MemoryPinLedger, PinSource};
use crate::card::profile::CardProfile;
use crate::card::report::{CardSession, WorkerCommand, WorkerReport};
use crate::card::settings::CardSettings;
use crate::card::transport::{CardSource, CardTransport, TransportError};
use crate::card::trust::{Trust, TrustError};

/// What a test and the worker's thread share.
struct Shared {
    card: FakeCard,
    /// What the next APDU ends with instead of a response.
    fault: Option<TransportError>,
    /// Whether the card is in its slot.
    present: bool,
    resets: usize,
}

#[derive(Clone)]
struct Slot(Arc<Mutex<Shared>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct SlotTransport {
    slot: Slot,
    atr: Atr,
}

impl CardTransport for SlotTransport {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(
        &mut self,
        command: &CommandApdu,
        _: Instant,
    ) -> Result<ResponseApdu, TransportError> {
        self.check_present()?;
        let mut shared = self.slot.lock();
        match shared.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(shared.card.transmit(command)),
        }
    }

    fn cold_reset(&mut self, _: Instant) -> Result<Atr, TransportError> {
        self.check_present()?;
        let mut shared = self.slot.lock();
        shared.resets += 1;
        shared.card.reset();
        Ok(self.atr.clone())
    }

    fn check_present(&mut self) -> Result<(), TransportError> {
        match self.slot.lock().present {
            true => Ok(()),
            false => Err(TransportError::Removed),
        }
    }
}

#[derive(Clone, Default)]
struct Source {
    arrivals: Arc<Mutex<VecDeque<Slot>>>,
    surplus: Arc<AtomicUsize>,
}

impl CardSource for Source {
    fn poll(&mut self, _: Instant) -> Result<Option<Box<dyn CardTransport>>, TransportError> {
        let slot = self
            .arrivals
            .lock()
            .expect("no panic under the lock")
            .pop_front();
        Ok(slot.map(|slot| {
            let atr = Atr::decode(&[0x3B, 0x80, 0x01, 0x81]).expect("an ATR");
            Box::new(SlotTransport { slot, atr }) as Box<dyn CardTransport>
        }))
    }

    fn refuse_surplus(&mut self) -> usize {
        self.surplus.swap(0, Ordering::AcqRel)
    }
}

/// A worker, its slot, and the broker's end.
struct Bench {
    handle: CardHandle,
    reports: Receiver<WorkerReport>,
    source: Source,
    slot: Slot,
    server: Server,
    trust: Arc<Trust>,
    pin_file: PathBuf,
    next_use: u64,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(FakeCard::default(), |_| {})
    }

    fn with(card: FakeCard, change: impl FnOnce(&mut CardSettings)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let pin_file = dir.path().join("pin");
        std::fs::write(&pin_file, "0000\n").expect("written");
        let seid = "se-00".parse().expect("a SEID");
        let pin = Some(PinSource::File(pin_file.clone()));
        let mut settings = CardSettings::new(seid, CardProfile::eap_tls(), pin);
        change(&mut settings);
        let (sender, reports) = mpsc::channel();
        let source = Source::default();
        let ledger = Arc::new(MemoryPinLedger::new().expect("randomness"));
        let report = Box::new(move |_, report| {
            // The test may have ended.
            let _ = sender.send(report);
        });
        let handle =
            spawn_worker(settings, Box::new(source.clone()), ledger, report).expect("a thread");
        let certificate = rcgen::generate_simple_self_signed(vec!["server.example".to_owned()])
            .expect("a certificate")
            .cert
            .der()
            .to_vec();
        let pin = Sha256::digest(&certificate).into();
        let pins = HashMap::from([("server.example".to_owned(), pin)]);
        let bench = Self {
            handle,
            reports,
            source,
            slot: Slot(Arc::new(Mutex::new(Shared {
                card,
                fault: None,
                present: true,
                resets: 0,
            }))),
            server: Server {
                certificate,
                ..Server::default()
            },
            trust: Arc::new(Trust::load(&[], pins).expect("a pin")),
            pin_file,
            next_use: 1,
            _dir: dir,
        };
        bench.insert();
        bench
    }

    fn insert(&self) {
        self.slot.lock().present = true;
        self.source
            .arrivals
            .lock()
            .expect("no panic under the lock")
            .push_back(self.slot.clone());
    }

    fn next(&self) -> WorkerReport {
        self.reports
            .recv_timeout(Duration::from_secs(20))
            .expect("a report")
    }

    fn await_present(&self) {
        let report = self.next();
        assert!(matches!(report, WorkerReport::Present { .. }), "{report:?}");
    }

    fn send(&self, command: WorkerCommand) {
        self.handle.send(command).expect("a worker");
    }

    fn start(&mut self) -> UseId {
        let use_id = UseId(self.next_use);
        self.next_use += 1;
        self.send(WorkerCommand::Start(Box::new(Job {
            use_id,
            domain: DomainUuid::from_bytes([1; 16]),
            identity: name("alice"),
            server_name: "server.example".to_owned(),
            alpn: Vec::new(),
            min_version: ProtocolVersion::TLS1_2,
            max_version: ProtocolVersion::TLS1_3,
            version_wish: false,
            resume: true,
            trust: Arc::clone(&self.trust),
            client_certificate_sha256: client_certificate_sha256(),
            max_handshake_bytes: 256 * 1024,
        })));
        use_id
    }

    fn await_hello(&self, expected: UseId) {
        match self.next() {
            WorkerReport::ClientRecords { use_id, .. } => assert_eq!(use_id, expected),
            other => panic!("{other:?}"),
        }
        self.await_wait();
    }

    fn await_wait(&self) {
        let report = self.next();
        assert!(
            matches!(report, WorkerReport::AwaitingServer { .. }),
            "{report:?}"
        );
    }

    fn await_failure(&self, expected: UseId) -> (SessionError, Option<Vec<u8>>) {
        match self.next() {
            WorkerReport::Failed {
                use_id,
                error,
                alert,
            } => {
                assert_eq!(use_id, expected);
                (error, alert)
            }
            other => panic!("{other:?}"),
        }
    }

    fn await_free(&self, expected: UseId) {
        match self.next() {
            WorkerReport::Free { use_id, .. } => assert_eq!(use_id, expected),
            other => panic!("{other:?}"),
        }
    }

    fn answer(&self, use_id: UseId, data: Vec<u8>) {
        self.send(WorkerCommand::ServerRecords { use_id, data });
    }

    /// One whole good handshake, with whatever the server says to it.
    fn handshake(&mut self, flights: Vec<Vec<u8>>) -> Box<CardSession> {
        let use_id = self.start();
        self.await_hello(use_id);
        let mut flights = flights.into_iter();
        self.answer(use_id, flights.next().expect("a flight"));
        loop {
            match self.next() {
                WorkerReport::ClientRecords { .. } => {}
                WorkerReport::AwaitingServer { .. } => {
                    self.answer(use_id, flights.next().expect("a flight"));
                }
                WorkerReport::Established { session, .. } => {
                    self.await_free(use_id);
                    return session;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn full(&mut self) -> Box<CardSession> {
        self.handshake(vec![self.server.full(), self.server.last()])
    }

    /// INS and P1 of the last commands.
    fn last_commands(&self, count: usize) -> Vec<(u8, u8)> {
        let shared = self.slot.lock();
        let log = &shared.card.log;
        log.iter()
            .skip(log.len().saturating_sub(count))
            .map(|command| (command.ins, command.p1))
            .collect()
    }
}

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
        3,
        "a probe, two handshakes"
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
fn a_card_that_was_swapped_inside_is_shown_anew() {
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
    match bench.next() {
        WorkerReport::Present { identities, .. } => {
            assert_eq!(identities[0].name.as_str(), "mallory");
        }
        other => panic!("{other:?}"),
    }
    bench.await_free(use_id);
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

    std::fs::write(&bench.pin_file, "4711\n").expect("written");
    bench.await_present();
    bench.full();
    assert_eq!(bench.slot.lock().card.count(0x20, 0), 2);
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

//! A worker with a card made of switches in its slot, and the broker's end in the test's hands.

use std::collections::{HashMap, VecDeque};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::apdu::{Atr, CommandApdu, ResponseApdu};
use proto::id::DomainUuid;
use proto::tls::ProtocolVersion;
use sha2::{Digest, Sha256};

use crate::card::adopted::AdoptedCards;
use crate::card::eap_tls::testing::tls::Server;
use crate::card::eap_tls::testing::{FakeCard, client_certificate_sha256, name};
use crate::card::error::{CardError, SessionError};
use crate::card::fingerprint::Difference;
use crate::card::handle::{CardHandle, CardRecords, spawn_worker};
use crate::card::job::{Job, UseId};
use crate::card::pin::{MemoryPinLedger, PinLedger, PinSource};
use crate::card::profile::CardProfile;
use crate::card::report::{CardSession, WorkerCommand, WorkerReport};
use crate::card::settings::CardSettings;
use crate::card::transport::{
    CardSource, CardTransport, ChainLink, Chained, Chains, TransportError,
};
use crate::card::trust::Trust;

/// What a test and the worker's thread share.
pub(super) struct Shared {
    pub(super) card: FakeCard,
    /// What the next APDU ends with instead of a response.
    pub(super) fault: Option<TransportError>,
    /// Whether the card is in its slot.
    pub(super) present: bool,
    pub(super) resets: usize,
    pub(super) atr: Atr,
    /// Whether commands go there together, as over a network.
    pub(super) chains: bool,
    /// How many went together.
    pub(super) chained: Vec<usize>,
    /// Whether a status that stops a chain is kept to itself.
    pub(super) hides_status: bool,
}

#[derive(Clone)]
pub(super) struct Slot(pub(super) Arc<Mutex<Shared>>);

impl Slot {
    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
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

    fn takes_chains(&self) -> Chains {
        match self.slot.lock().chains {
            true => Chains::All,
            false => Chains::None,
        }
    }

    fn transmit_all(&mut self, chain: &[ChainLink], _: Duration) -> Chained {
        self.slot.lock().chained.push(chain.len());
        let mut done = Chained::default();
        for link in chain {
            match self.transmit(&link.command, Instant::now()) {
                Ok(response) if response.sw.is_success() || !link.must_succeed => {
                    done.responses.push(response);
                }
                Ok(_) if self.slot.lock().hides_status => {
                    return done.failed(TransportError::StatusUnseen);
                }
                Ok(response) => {
                    done.responses.push(response);
                    break;
                }
                Err(error) => return done.failed(error),
            }
        }
        done
    }

    fn check_present(&mut self) -> Result<(), TransportError> {
        match self.slot.lock().present {
            true => Ok(()),
            false => Err(TransportError::Removed),
        }
    }
}

#[derive(Clone, Default)]
pub(super) struct Source {
    arrivals: Arc<Mutex<VecDeque<Slot>>>,
    pub(super) surplus: Arc<AtomicUsize>,
}

impl CardSource for Source {
    fn poll(&mut self, _: Instant) -> Result<Option<Box<dyn CardTransport>>, TransportError> {
        let slot = self
            .arrivals
            .lock()
            .expect("no panic under the lock")
            .pop_front();
        Ok(slot.map(|slot| {
            let atr = slot.lock().atr.clone();
            Box::new(SlotTransport { slot, atr }) as Box<dyn CardTransport>
        }))
    }

    fn refuse_surplus(&mut self) -> usize {
        self.surplus.swap(0, Ordering::AcqRel)
    }
}

/// A worker, its slot, and the broker's end.
pub(super) struct Bench {
    pub(super) handle: CardHandle,
    pub(super) reports: Receiver<WorkerReport>,
    pub(super) source: Source,
    pub(super) slot: Slot,
    pub(super) server: Server,
    pub(super) trust: Arc<Trust>,
    pub(super) pin_file: PathBuf,
    pub(super) adopted: Arc<AdoptedCards>,
    pub(super) next_use: u64,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(FakeCard::default(), |_| {})
    }

    pub(super) fn with(card: FakeCard, change: impl FnOnce(&mut CardSettings)) -> Self {
        let ledger = MemoryPinLedger::new().expect("randomness");
        Self::with_ledger(card, Arc::new(ledger), change)
    }

    pub(super) fn with_ledger(
        card: FakeCard,
        ledger: Arc<dyn PinLedger>,
        change: impl FnOnce(&mut CardSettings),
    ) -> Self {
        Self::build(card, ledger, change, None)
    }

    /// With a card from elsewhere; what is in the slot is not used.
    pub(super) fn with_source(source: Box<dyn CardSource>) -> Self {
        let ledger = MemoryPinLedger::new().expect("randomness");
        Self::build(FakeCard::default(), Arc::new(ledger), |_| {}, Some(source))
    }

    fn build(
        card: FakeCard,
        ledger: Arc<dyn PinLedger>,
        change: impl FnOnce(&mut CardSettings),
        elsewhere: Option<Box<dyn CardSource>>,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let pin_file = dir.path().join("pin");
        write_pin(&pin_file, "0000");
        let seid = "se-00".parse().expect("a SEID");
        let pin = Some(PinSource::File(pin_file.clone()));
        let mut settings = CardSettings::new(seid, CardProfile::eap_tls(), pin);
        change(&mut settings);
        let (sender, reports) = mpsc::channel();
        let source = Source::default();
        let report = Box::new(move |_, report| {
            // The test may have ended.
            let _ = sender.send(report);
        });
        let adopted = Arc::new(AdoptedCards::in_memory());
        let records = CardRecords {
            pins: ledger,
            adopted: Arc::clone(&adopted),
        };
        let from = elsewhere.unwrap_or_else(|| Box::new(source.clone()));
        let handle = spawn_worker(settings, from, records, report).expect("a thread");
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
                chains: false,
                chained: Vec::new(),
                hides_status: false,
                atr: Atr::decode(&[0x3B, 0x80, 0x01, 0x81]).expect("an ATR"),
            }))),
            server: Server {
                certificate,
                ..Server::default()
            },
            trust: Arc::new(Trust::load(&[], pins).expect("a pin")),
            pin_file,
            adopted,
            next_use: 1,
            _dir: dir,
        };
        bench.insert();
        bench
    }

    pub(super) fn insert(&self) {
        self.slot.lock().present = true;
        self.source
            .arrivals
            .lock()
            .expect("no panic under the lock")
            .push_back(self.slot.clone());
    }

    pub(super) fn next(&self) -> WorkerReport {
        self.reports
            .recv_timeout(Duration::from_secs(20))
            .expect("a report")
    }

    pub(super) fn await_present(&self) {
        let report = self.next();
        assert!(matches!(report, WorkerReport::Present { .. }), "{report:?}");
    }

    pub(super) fn await_unusable(&self) -> CardError {
        match self.next() {
            WorkerReport::Unusable { why } => why,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn await_unknown(&self, expected: Difference) {
        match self.await_unusable() {
            CardError::UnknownCard { difference, .. } => assert_eq!(difference, expected),
            other => panic!("{other:?}"),
        }
    }

    /// Puts another card into the slot, once this one's absence was noticed.
    pub(super) fn swap(&self, change: impl FnOnce(&mut Shared)) {
        self.slot.lock().present = false;
        assert!(matches!(self.next(), WorkerReport::Gone { .. }));
        change(&mut self.slot.lock());
        self.insert();
    }

    pub(super) fn send(&self, command: WorkerCommand) {
        self.handle.send(command).expect("a worker");
    }

    pub(super) fn start(&mut self) -> UseId {
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

    pub(super) fn await_hello(&self, expected: UseId) {
        match self.next() {
            WorkerReport::ClientRecords { use_id, .. } => assert_eq!(use_id, expected),
            other => panic!("{other:?}"),
        }
        self.await_wait();
    }

    pub(super) fn await_wait(&self) {
        let report = self.next();
        assert!(
            matches!(report, WorkerReport::AwaitingServer { .. }),
            "{report:?}"
        );
    }

    pub(super) fn await_failure(&self, expected: UseId) -> (SessionError, Option<Vec<u8>>) {
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

    pub(super) fn await_free(&self, expected: UseId) {
        match self.next() {
            WorkerReport::Free { use_id, .. } => assert_eq!(use_id, expected),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn answer(&self, use_id: UseId, data: Vec<u8>) {
        self.send(WorkerCommand::ServerRecords { use_id, data });
    }

    /// One whole good handshake, with whatever the server says to it.
    pub(super) fn handshake(&mut self, flights: Vec<Vec<u8>>) -> Box<CardSession> {
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

    pub(super) fn full(&mut self) -> Box<CardSession> {
        self.handshake(vec![self.server.full(), self.server.last()])
    }

    /// INS and P1 of the last commands.
    pub(super) fn last_commands(&self, count: usize) -> Vec<(u8, u8)> {
        let shared = self.slot.lock();
        let log = &shared.card.log;
        log.iter()
            .skip(log.len().saturating_sub(count))
            .map(|command| (command.ins, command.p1))
            .collect()
    }
}

/// Writes a PIN file for its owner alone.
pub(super) fn write_pin(path: &Path, pin: &str) {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).expect("opened");
    writeln!(file, "{pin}").expect("written");
}

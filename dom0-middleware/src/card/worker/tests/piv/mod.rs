//! The worker of a PIV card: what it reports, when it sends a PIN, and that it is there for the next
//! one whatever happened.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::agent::Door;
use proto::apdu::{Atr, CommandApdu, ResponseApdu};
use proto::id::DomainUuid;
use proto::piv::driver::{PivFault, PivKey};
use proto::piv::{Chuid, KeyAlgorithm, PinLook, Slot, TlvReader, TlvWriter};
use proto::tls::ProtocolVersion;
use rustls::SignatureScheme;
use sha2::{Digest, Sha256};

use super::bench::write_pin;
use crate::card::adopted::AdoptedCards;
use crate::card::error::{CardError, SessionError};
use crate::card::fault::CardFault;
use crate::card::fingerprint::Difference;
use crate::card::handle::{CardHandle, CardRecords, spawn_worker};
use crate::card::job::{Job, SignJob, SignatureNews, SignatureSlot, UseId};
use crate::card::pin::{MemoryPinLedger, PinSource};
use crate::card::piv::form_of;
use crate::card::piv::testing::{FakePivCard, Held};
use crate::card::profile::CardProfile;
use crate::card::report::{CardIdentity, PinInquiry, WorkerCommand, WorkerReport};
use crate::card::session_fault::PolicyFault;
use crate::card::settings::CardSettings;
use crate::card::transport::{
    CardSource, CardTransport, ChainLink, Chained, Chains, TransportError, one_by_one,
};
use crate::card::trust::Trust;

mod pins;
mod refusals;

const MESSAGE: &[u8] = b"what is signed";

struct Shared {
    card: FakePivCard,
    present: bool,
    /// What the next signature ends with instead of a response.
    fault: Option<TransportError>,
    resets: usize,
    /// How many commands came together each time, if it takes them so.
    together: Option<Vec<usize>>,
}

#[derive(Clone)]
struct Reader {
    shared: Arc<Mutex<Shared>>,
    arrivals: Arc<Mutex<VecDeque<()>>>,
    atr: Atr,
}

impl Reader {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self) {
        self.lock().present = true;
        let mut arrivals = self.arrivals.lock().expect("no panic under the lock");
        arrivals.push_back(());
    }
}

impl CardTransport for Reader {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(
        &mut self,
        command: &CommandApdu,
        _: Instant,
    ) -> Result<ResponseApdu, TransportError> {
        self.check_present()?;
        let mut shared = self.lock();
        if command.ins == 0x87
            && let Some(fault) = shared.fault.take()
        {
            return Err(fault);
        }
        Ok(shared.card.transmit(command))
    }

    fn cold_reset(&mut self, _: Instant) -> Result<Atr, TransportError> {
        self.check_present()?;
        let mut shared = self.lock();
        shared.resets += 1;
        shared.card.reset();
        Ok(self.atr.clone())
    }

    fn takes_chains(&self) -> Chains {
        match self.lock().together.is_some() {
            true => Chains::All,
            false => Chains::None,
        }
    }

    fn transmit_all(&mut self, chain: &[ChainLink], apdu_timeout: Duration) -> Chained {
        let mut shared = self.lock();
        shared.together.get_or_insert_default().push(chain.len());
        drop(shared);
        one_by_one(self, chain, apdu_timeout)
    }

    fn check_present(&mut self) -> Result<(), TransportError> {
        match self.lock().present {
            true => Ok(()),
            false => Err(TransportError::Removed),
        }
    }
}

impl CardSource for Reader {
    fn poll(&mut self, _: Instant) -> Result<Option<Box<dyn CardTransport>>, TransportError> {
        let arrived = self.arrivals.lock().expect("no panic").pop_front();
        Ok(arrived.map(|()| {
            self.lock().card.reset();
            Box::new(self.clone()) as Box<dyn CardTransport>
        }))
    }
}

struct Bench {
    handle: CardHandle,
    reports: Receiver<WorkerReport>,
    reader: Reader,
    pin_file: PathBuf,
    next_use: u64,
    /// Where the signature ordered last is put.
    signed: Option<Receiver<SignatureNews>>,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new(mut card: FakePivCard) -> Self {
        card.messages = vec![MESSAGE.to_vec()];
        let dir = tempfile::tempdir().expect("a directory");
        let pin_file = dir.path().join("pin");
        write_pin(&pin_file, "123456");
        let seid = "se-00".parse().expect("a SEID");
        let pin = Some(PinSource::File(pin_file.clone()));
        let settings = CardSettings::new(seid, CardProfile::piv(), pin);
        let (sender, reports) = mpsc::channel();
        let report = Box::new(move |_, report| {
            // The test may have ended.
            let _ = sender.send(report);
        });
        let reader = Reader {
            shared: Arc::new(Mutex::new(Shared {
                card,
                present: true,
                fault: None,
                resets: 0,
                together: None,
            })),
            arrivals: Arc::default(),
            atr: Atr::decode(&[0x3B, 0x80, 0x01, 0x81]).expect("an ATR"),
        };
        let records = CardRecords {
            pins: Arc::new(MemoryPinLedger::new().expect("randomness")),
            adopted: Arc::new(AdoptedCards::in_memory()),
        };
        let source = Box::new(reader.clone());
        let handle = spawn_worker(settings, source, records, report).expect("a thread");
        reader.insert();
        Self {
            handle,
            reports,
            reader,
            pin_file,
            next_use: 1,
            signed: None,
            _dir: dir,
        }
    }

    fn next(&self) -> WorkerReport {
        let report = self.reports.recv_timeout(Duration::from_secs(20));
        report.expect("a report")
    }

    fn await_present(&self) -> Vec<CardIdentity> {
        match self.next() {
            WorkerReport::Present {
                identities,
                features,
                profile,
                ..
            } => {
                assert_eq!((features.door, profile.as_str()), (Door::Piv, "piv"));
                identities
            }
            other => panic!("{other:?}"),
        }
    }

    fn await_unusable(&self) -> CardError {
        match self.next() {
            WorkerReport::Unusable { why } => why,
            other => panic!("{other:?}"),
        }
    }

    /// Takes the card out, changes it, and puts it back.
    fn swap(&self, change: impl FnOnce(&mut FakePivCard)) {
        self.reader.lock().present = false;
        assert!(matches!(self.next(), WorkerReport::Gone { .. }));
        change(&mut self.reader.lock().card);
        self.reader.insert();
    }

    fn order(&mut self, slot: Slot, scheme: SignatureScheme) -> UseId {
        let certificate = self.reader.lock().card.slots[&slot].certificate.clone();
        self.order_as(slot, scheme, Sha256::digest(certificate).into())
    }

    fn order_as(&mut self, identity: Slot, scheme: SignatureScheme, sha256: [u8; 32]) -> UseId {
        let use_id = UseId(self.next_use);
        self.next_use += 1;
        let (slot, signed) = SignatureSlot::new();
        let job = SignJob {
            use_id,
            identity: identity.to_string().parse().expect("a name"),
            scheme,
            message: MESSAGE.to_vec(),
            client_certificate_sha256: sha256,
            slot,
        };
        self.signed = Some(signed);
        let sent = self.handle.send(WorkerCommand::Sign(Box::new(job)));
        sent.expect("a worker");
        use_id
    }

    fn await_signed(&self, expected: UseId) -> Vec<u8> {
        match self.next() {
            WorkerReport::Signed { use_id, .. } => {
                assert_eq!(use_id, expected);
                self.await_free(use_id);
                let put: Vec<SignatureNews> = self.signed.iter().flatten().collect();
                match <[SignatureNews; 2]>::try_from(put) {
                    Ok([SignatureNews::Made(signature), SignatureNews::Right]) => signature,
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn await_failure(&self, expected: UseId) -> SessionError {
        match self.next() {
            WorkerReport::Failed { use_id, error, .. } => {
                assert_eq!(use_id, expected);
                error
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

    /// One whole good signature with the key of 9A.
    fn sign(&mut self) {
        let scheme = SignatureScheme::RSA_PSS_SHA256;
        let use_id = self.order(Slot::Authentication, scheme);
        let signature = self.await_signed(use_id);
        let certificate = self.reader.lock().card.slots[&Slot::Authentication]
            .certificate
            .clone();
        let key = PivKey::of_certificate(Slot::Authentication, &certificate).expect("a key");
        let form = form_of(scheme).expect("a scheme of cards");
        assert!(key.verifies(form, MESSAGE, &signature));
    }

    fn pins_sent(&self) -> usize {
        self.reader.lock().card.count(0x20)
    }

    /// How the PIN stands, if the card is asked.
    fn look_at_pin(&self) -> Option<PinLook> {
        let (sender, seen) = mpsc::channel();
        let inquiry = PinInquiry::new(move |look| {
            let _ = sender.send(look);
        });
        let sent = self.handle.send(WorkerCommand::LookAtPin(inquiry));
        sent.expect("a worker");
        match seen.recv_timeout(Duration::from_secs(20)) {
            Ok(look) => Some(look),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("neither answered nor dropped"),
        }
    }
}

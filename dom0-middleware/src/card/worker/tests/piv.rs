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
    CardSource, CardTransport, ChainLink, Chained, TransportError, one_by_one,
};
use crate::card::trust::Trust;

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

    fn takes_chains(&self) -> bool {
        self.lock().together.is_some()
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

#[test]
fn signatures_follow_each_other_under_one_pin() {
    let mut bench = Bench::new(FakePivCard::new());
    let identities = bench.await_present();
    let names: Vec<_> = identities.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["9a", "9e"]);
    assert_eq!(
        identities[1].schemes,
        [SignatureScheme::ECDSA_NISTP256_SHA256]
    );
    bench.sign();
    bench.sign();
    let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
    let use_id = bench.order(Slot::CardAuthentication, scheme);
    bench.await_signed(use_id);
    assert_eq!(bench.pins_sent(), 1);
    assert_eq!(bench.reader.lock().resets, 0);
}

#[test]
fn slot_9c_gets_its_pin_each_time_through_the_ledger() {
    let mut bench = Bench::new(FakePivCard::with([(Slot::Signature, Held::rsa())]));
    bench.await_present();
    let scheme = SignatureScheme::RSA_PKCS1_SHA384;
    for pins in 2..4 {
        let use_id = bench.order(Slot::Signature, scheme);
        bench.await_signed(use_id);
        assert_eq!(bench.pins_sent(), pins);
    }
    // The PIN was changed behind our back: one try, and none after it until the file changes.
    bench.reader.lock().card.pin = b"654321".to_vec();
    let use_id = bench.order(Slot::Signature, scheme);
    assert_eq!(bench.await_failure(use_id), SessionError::PinRequired);
    let tries_left = Some(2);
    assert_eq!(
        bench.await_unusable(),
        CardError::PinRejected { tries_left }
    );
    bench.await_free(use_id);
    let use_id = bench.order(Slot::Signature, scheme);
    assert_eq!(bench.await_failure(use_id), SessionError::PinRequired);
    bench.await_free(use_id);
    assert_eq!((bench.pins_sent(), bench.reader.lock().card.tries), (4, 2));
    write_pin(&bench.pin_file, "654321");
    bench.await_present();
    let use_id = bench.order(Slot::Signature, scheme);
    bench.await_signed(use_id);
}

#[test]
fn a_card_sees_the_same_commands_if_they_come_together() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let mut seen = |together: Option<Vec<usize>>, forgets| {
        let mut shared = bench.reader.lock();
        shared.card.log.clear();
        shared.card.forgets = forgets;
        shared.together = together;
        drop(shared);
        bench.sign();
        let mut shared = bench.reader.lock();
        let headers: Vec<_> = shared.card.log.iter().map(CommandApdu::header).collect();
        (headers, shared.together.take().unwrap_or_default())
    };
    for forgets in [0, 1] {
        let (alone, none) = seen(None, forgets);
        let (all, together) = seen(Some(Vec::new()), forgets);
        assert_eq!((alone, none), (all, Vec::new()));
        // The two links of each command.
        assert_eq!(together, vec![2; 1 + forgets]);
    }
}

#[test]
fn a_card_that_forgot_its_pin_gets_it_once() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    bench.reader.lock().card.forgets = 1;
    bench.sign();
    assert_eq!(bench.pins_sent(), 2);
}

#[test]
fn a_look_at_the_pin_shows_its_tries_and_spends_none() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    assert_eq!(bench.look_at_pin(), Some(PinLook::Verified));
    bench.reader.lock().card.verified = false;
    assert_eq!(bench.look_at_pin(), Some(PinLook::Tries(3)));
    assert_eq!(bench.pins_sent(), 1);
    // The card is where it was: it gets its PIN when it signs.
    bench.sign();
    assert_eq!((bench.pins_sent(), bench.reader.lock().resets), (2, 0));

    // One that cannot be used shows them too, and from reset on.
    bench.swap(|card| card.pin = b"654321".to_vec());
    let tries_left = Some(2);
    assert_eq!(
        bench.await_unusable(),
        CardError::PinRejected { tries_left }
    );
    assert_eq!(bench.look_at_pin(), Some(PinLook::Tries(2)));
    for (tries, why, look) in [
        (1, CardError::LastPinTry, PinLook::Tries(1)),
        (0, CardError::PinBlocked, PinLook::Blocked),
    ] {
        bench.swap(|card| card.tries = tries);
        assert_eq!(bench.await_unusable(), why);
        for _ in 0..3 {
            assert_eq!(bench.look_at_pin(), Some(look));
        }
        assert_eq!(
            (bench.pins_sent(), bench.reader.lock().card.tries),
            (3, tries)
        );
    }
}

#[test]
fn a_card_that_is_not_there_or_not_known_is_not_asked_for_its_pin() {
    let bench = Bench::new(FakePivCard::new());
    bench.await_present();
    bench.swap(|card| card.chuid = None);
    assert!(matches!(
        bench.await_unusable(),
        CardError::UnknownCard { .. }
    ));
    assert_eq!(bench.look_at_pin(), None);
    bench.reader.lock().present = false;
    assert!(matches!(bench.next(), WorkerReport::Gone { .. }));
    assert_eq!(bench.look_at_pin(), None);
}

#[test]
fn a_key_that_tls_does_not_take_is_left_alone_and_named_when_there_is_no_other() {
    let card = FakePivCard::new();
    let mut good = Held::curve(KeyAlgorithm::P256);
    good.certificate = of_version_1(&good.certificate);
    let old = Arc::new(good);
    let mut both = card;
    both.slots.insert(Slot::Authentication, Arc::clone(&old));
    let bench = Bench::new(both);
    let identities = bench.await_present();
    let names: Vec<_> = identities.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["9e"]);

    let bench = Bench::new(FakePivCard::with([(Slot::Authentication, old)]));
    let why = bench.await_unusable();
    let said = why.to_string();
    for word in ["slot 9a", "X.509 version 1", "openssl x509 -req"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(
        why.next_step(&"se-00".parse().expect("a SEID"))
            .contains("slot 9a")
    );
    assert_eq!(bench.pins_sent(), 0);
}

/// The certificate without its version; nobody looks at its signature.
fn of_version_1(certificate: &[u8]) -> Vec<u8> {
    const SEQUENCE: u32 = 0x30;
    let outer = TlvReader::new(certificate).expect(SEQUENCE, "certificate");
    let mut parts = TlvReader::new(outer.expect("DER"));
    let signed = parts.expect(SEQUENCE, "what is signed").expect("DER");
    let mut elements = TlvReader::new(signed);
    elements.expect(0xA0, "version").expect("version 3");
    let mut kept = TlvWriter::new();
    while let Some(element) = elements.take_next().expect("DER") {
        // Extensions are version 3's.
        if element.tag != 0xA3 {
            kept = kept.with(element.tag, element.value);
        }
    }
    let mut all = TlvWriter::new().with(SEQUENCE, &kept.into_bytes());
    while let Some(part) = parts.take_next().expect("DER") {
        all = all.with(part.tag, part.value);
    }
    TlvWriter::new()
        .with(SEQUENCE, &all.into_bytes())
        .into_bytes()
}

#[test]
fn a_wrong_signature_fails_the_session_and_the_card_serves_the_next() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    bench.reader.lock().card.spoil = Some(|signature| signature[7] ^= 1);
    let use_id = bench.order(Slot::Authentication, SignatureScheme::RSA_PSS_SHA256);
    let slot = Slot::Authentication;
    let wrong = CardFault::Piv(PivFault::WrongSignature { slot });
    assert_eq!(bench.await_failure(use_id), SessionError::CardFailed(wrong));
    bench.await_free(use_id);
    bench.reader.lock().card.spoil = None;
    assert_eq!(bench.reader.lock().resets, 1);
    bench.sign();
}

#[test]
fn a_card_that_fails_or_leaves_in_a_signature_comes_back() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    for fault in [TransportError::TimedOut, TransportError::Reset] {
        bench.reader.lock().fault = Some(fault);
        let use_id = bench.order(Slot::Authentication, SignatureScheme::RSA_PSS_SHA256);
        let error = bench.await_failure(use_id);
        assert!(matches!(error, SessionError::CardFailed(_)), "{error:?}");
        bench.await_free(use_id);
        bench.sign();
    }
    bench.reader.lock().fault = Some(TransportError::Removed);
    let use_id = bench.order(Slot::Authentication, SignatureScheme::RSA_PSS_SHA256);
    assert_eq!(bench.await_failure(use_id), SessionError::CardRemoved);
    bench.await_free(use_id);
    bench.sign();
}

#[test]
fn an_identity_that_is_not_there_or_has_changed_is_not_used() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let scheme = SignatureScheme::RSA_PSS_SHA256;
    let use_id = bench.order_as(Slot::KeyManagement, scheme, [0; 32]);
    assert!(matches!(
        bench.await_failure(use_id),
        SessionError::Policy(_)
    ));
    bench.await_free(use_id);
    let use_id = bench.order_as(Slot::Authentication, scheme, [0; 32]);
    let error = bench.await_failure(use_id);
    assert!(
        matches!(error, SessionError::CardSwapped { .. }),
        "{error:?}"
    );
    bench.await_free(use_id);
    bench.sign();
}

#[test]
fn a_signature_the_key_cannot_make_is_not_asked_for() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let (slot, scheme) = (Slot::Authentication, SignatureScheme::ECDSA_NISTP256_SHA256);
    let sent = bench.reader.lock().card.log.len();
    let use_id = bench.order(slot, scheme);
    let fault = PolicyFault::SchemeNotOfKey { slot, scheme };
    assert_eq!(bench.await_failure(use_id), SessionError::Policy(fault));
    bench.await_free(use_id);
    assert_eq!(bench.reader.lock().card.log.len(), sent);
    bench.sign();
}

#[test]
fn another_card_in_the_reader_gets_no_pin() {
    let bench = Bench::new(FakePivCard::new());
    bench.await_present();
    bench.swap(|card| {
        card.chuid = Some(Chuid {
            guid: Some([2; 16]),
            ..Chuid::default()
        });
    });
    let unknown = |why: CardError| match why {
        CardError::UnknownCard { difference, .. } => difference,
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown(bench.await_unusable()), Difference::Chuid);
    let first = FakePivCard::new();
    bench.swap(|card| {
        card.chuid = first.chuid;
        let other = Held::curve(KeyAlgorithm::P256);
        card.slots.insert(Slot::Authentication, other.into());
    });
    assert_eq!(unknown(bench.await_unusable()), Difference::Identities);
    assert_eq!(bench.pins_sent(), 1, "certificates are seen before the PIN");
}

#[test]
fn a_stopped_worker_lets_the_card_go() {
    let bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let Bench { handle, reader, .. } = bench;
    handle.stop();
    assert_eq!(
        Arc::strong_count(&reader.shared),
        1,
        "it has let the card go"
    );
}

#[test]
fn a_card_that_signs_makes_no_handshake() {
    let mut bench = Bench::new(FakePivCard::new());
    bench.await_present();
    let use_id = UseId(99);
    let job = Job {
        use_id,
        domain: DomainUuid::from_bytes([1; 16]),
        identity: "9a".parse().expect("a name"),
        server_name: "server.example".to_owned(),
        alpn: Vec::new(),
        min_version: ProtocolVersion::TLS1_2,
        max_version: ProtocolVersion::TLS1_3,
        version_wish: false,
        resume: true,
        trust: Arc::new(Trust::load(&[], HashMap::new()).expect("no trust at all")),
        client_certificate_sha256: [0; 32],
        max_handshake_bytes: 1024,
    };
    let sent = bench.handle.send(WorkerCommand::Start(Box::new(job)));
    sent.expect("a worker");
    assert_eq!(bench.await_failure(use_id), SessionError::WrongDoor);
    bench.await_free(use_id);
    bench.sign();
}

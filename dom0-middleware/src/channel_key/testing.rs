//! HV keys for tests, and the calendar of the test.

use std::ffi::CStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hv_card::{CardLink, LinkError, Readers};
use proto::apdu::{CommandApdu, ResponseApdu};
use proto::hv::{HvCertificate, SoftwareHvKey};
use proto::piv::Slot;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

use crate::card::piv::testing::{FakePivCard, Held};
use crate::time::UnixTime;

/// 2026-11-21T04:07:09Z
pub(super) const START: UnixTime = UnixTime::from_secs(1_795_234_029);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn later(time: Duration) -> UnixTime {
    UnixTime(START.0 + time)
}

/// An HV key and its certificate, which is good from 1970 to 2100 unless `until` says less.
pub(crate) fn hv(
    algorithm: &'static rcgen::SignatureAlgorithm,
    until: Option<u64>,
) -> (SoftwareHvKey, HvCertificate) {
    let key = KeyPair::generate_for(algorithm).expect("a kind that ring makes");
    certified(&key, until)
}

/// The same with an RSA key, the kind that `token-tool keygen` makes unless told.
pub(crate) fn rsa_hv() -> (SoftwareHvKey, HvCertificate) {
    let key = include_str!("../../../integration/keys/rsa2048-server.key.pem");
    certified(&KeyPair::from_pem(key).expect("a good key"), None)
}

fn certified(key: &KeyPair, until: Option<u64>) -> (SoftwareHvKey, HvCertificate) {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "host one");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Übung");
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = match until {
        Some(until) => date_time_ymd(1970, 1, 1) + Duration::from_secs(until),
        None => date_time_ymd(2100, 1, 1),
    };
    let certificate = params.self_signed(key).expect("sound");
    let signer = SoftwareHvKey::from_pem(key.serialize_pem().as_bytes(), None);
    let certificate = HvCertificate::from_der(certificate.der()).expect("a certificate");
    (signer.expect("a key"), certificate)
}

/// A reader with a PIV card that has an RSA key in slot 9c.
#[derive(Clone)]
pub(super) struct FakeReader(Arc<Mutex<InReader>>);

pub(super) struct InReader {
    pub(super) card: FakePivCard,
    pub(super) is_there: bool,
}

impl FakeReader {
    /// With the certificate of its key.
    pub(super) fn new() -> (Self, HvCertificate) {
        let held = Held::rsa();
        let certificate = HvCertificate::from_der(&held.certificate).expect("a certificate");
        let in_reader = InReader {
            card: FakePivCard::with([(Slot::Signature, held)]),
            is_there: true,
        };
        (Self(Arc::new(Mutex::new(in_reader))), certificate)
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, InReader> {
        self.0.lock().expect("no test has failed before")
    }
}

impl Readers for FakeReader {
    fn connect(
        &self,
        reader: &CStr,
        _patience: Duration,
        _for_arrival: bool,
    ) -> Result<Box<dyn CardLink>, LinkError> {
        self.look(reader)?;
        self.inside().card.reset();
        Ok(Box::new(self.clone()))
    }

    fn look(&self, reader: &CStr) -> Result<(), LinkError> {
        let reader = reader.to_string_lossy().into_owned();
        let is_there = self.inside().is_there;
        is_there.then_some(()).ok_or(LinkError::NoCard { reader })
    }
}

impl CardLink for FakeReader {
    fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, LinkError> {
        Ok(self.inside().card.transmit(command))
    }
}

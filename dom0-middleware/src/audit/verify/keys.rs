//! The keys that sign checkpoints, and what their certificates are worth.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::hv::{HvCertificate, HvId};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::{CertificateDer, UnixTime as PkiTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::record::Key;
use crate::audit::checkpoint::key_name;
use crate::card::Trust;
use crate::channel_key::SERVER_NAME;
use crate::time::UnixTime;

/// Certificates of one key: its own and the HV's. More mean nothing.
const MAX_CERTIFICATES: usize = 4;

/// A key that a file names.
pub(super) struct KnownKey {
    pub(super) name: String,
    /// The public key, a point of P-256.
    point: Vec<u8>,
    certificate: Vec<u8>,
    /// The HV certificate that the file names with it.
    pub(super) hv: Option<HvId>,
}

/// HV certificates that are believed.
pub(crate) struct Anchors(Option<Trust>);

impl Anchors {
    /// Nothing is believed but what the file itself says.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Believes these alone; the text says what is wrong with one.
    pub(crate) fn new(certificates: &[HvCertificate]) -> Result<Self, String> {
        let ders: Vec<CertificateDer<'_>> = certificates
            .iter()
            .map(|certificate| CertificateDer::from(certificate.der()))
            .collect();
        let trust = Trust::load(&ders, HashMap::new()).map_err(|error| error.to_string())?;
        Ok(Self(Some(trust)))
    }

    pub(super) fn are_given(&self) -> bool {
        self.0.is_some()
    }
}

impl KnownKey {
    /// Takes a key from its record; the text says what is wrong with it.
    pub(super) fn new(record: &Key) -> Result<Self, String> {
        if record.certificates.len() > MAX_CERTIFICATES {
            return Err("too many certificates".to_owned());
        }
        let decode = |text: &String| STANDARD.decode(text);
        let certificates: Result<Vec<Vec<u8>>, _> =
            record.certificates.iter().map(decode).collect();
        let certificates = certificates.map_err(|_| "a certificate is not base64".to_owned())?;
        let (certificate, above) = certificates
            .split_first()
            .ok_or_else(|| "the key has no certificate".to_owned())?;
        if key_name(certificate) != record.key {
            return Err("the key's name is not the SHA-256 of its certificate".to_owned());
        }
        let (rest, parsed) = X509Certificate::from_der(certificate)
            .map_err(|_| "the key's certificate cannot be read".to_owned())?;
        if !rest.is_empty() {
            return Err("bytes after the key's certificate".to_owned());
        }
        let point = parsed.public_key().subject_public_key.data.to_vec();
        Ok(Self {
            name: record.key.clone(),
            point,
            hv: above.first().map(|der| HvId::of(der)),
            certificate: certificate.clone(),
        })
    }

    /// Whether it made this signature.
    pub(super) fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else {
            return false;
        };
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point);
        key.verify(message, &signature).is_ok()
    }

    /// Whether one of the anchors has certified it for that time; the text says why not.
    pub(super) fn is_certified(&self, anchors: &Anchors, time: &str) -> Result<(), String> {
        let Some(trust) = &anchors.0 else {
            return Ok(());
        };
        let time: UnixTime = time
            .parse()
            .map_err(|_| format!("\"{time}\" is not a time"))?;
        let chain = std::slice::from_ref(&self.certificate);
        trust
            .verify(chain, SERVER_NAME, PkiTime::since_unix_epoch(time.0))
            .map_err(|error| format!("no given HV certificate vouches for its key: {error}"))
    }
}

//! The certificate of an HV.

use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{HvId, HvPublicKey, PublicKeyError};
use crate::pem::{self, PemError};

/// The certificate that names an HV and holds its public key.
///
/// It is trusted because an operator put it there, so nothing of it is checked but that it can be
/// read and that its key can sign tokens; its dates are for the caller to look at.
#[derive(Debug, Clone)]
pub struct HvCertificate {
    der: Vec<u8>,
    id: HvId,
    key: HvPublicKey,
    not_before: u64,
    not_after: u64,
}

impl HvCertificate {
    /// Reads a certificate in DER, with nothing behind it.
    ///
    /// # Errors
    /// [`CertificateError`] if it is no certificate, or not one with a key for tokens.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_LEN {
            return Err(CertificateError::TooLong);
        }
        let read = X509Certificate::from_der(der);
        let (rest, certificate) = read.map_err(|_| CertificateError::Unreadable)?;
        if !rest.is_empty() {
            return Err(CertificateError::TrailingBytes);
        }
        let seconds = |time: x509_parser::time::ASN1Time| {
            u64::try_from(time.timestamp()).map_err(|_| CertificateError::Time)
        };
        Ok(Self {
            der: der.to_vec(),
            id: HvId::of(der),
            key: HvPublicKey::from_spki(certificate.public_key())?,
            not_before: seconds(certificate.validity().not_before)?,
            not_after: seconds(certificate.validity().not_after)?,
        })
    }

    /// Reads the first block `CERTIFICATE` of a PEM file.
    ///
    /// # Errors
    /// As [`Self::from_der`], and if there is no such block.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        Self::from_der(&pem::decode("CERTIFICATE", pem)?)
    }

    /// The HV's name.
    #[must_use]
    pub fn id(&self) -> HvId {
        self.id
    }

    /// The whole certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The DER SubjectPublicKeyInfo in it; equals that of the signer with its key.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        self.key.spki_der()
    }

    /// The key in it.
    #[must_use]
    pub fn key(&self) -> &HvPublicKey {
        &self.key
    }

    /// First second it is good at, since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// Last second it is good at, since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.not_after
    }
}

/// Why this cannot be the certificate of an HV.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No PEM block with a certificate.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Longer than a certificate needs to be.
    #[error("longer than {MAX_CERTIFICATE_LEN} bytes")]
    TooLong,
    /// Not X.509 in DER.
    #[error("not an X.509 certificate in DER")]
    Unreadable,
    /// Something follows it.
    #[error("there is something behind the certificate")]
    TrailingBytes,
    /// Dates before 1970.
    #[error("a date before 1970")]
    Time,
    /// A key that signs no tokens.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
}

/// Longest certificate that is read, in bytes.
pub const MAX_CERTIFICATE_LEN: usize = 16 * 1024;

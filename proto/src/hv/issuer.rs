//! The HV key as rcgen wants a key that signs certificates, wherever it is.

use std::sync::OnceLock;

use rcgen::{PublicKeyData, SigningKey};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

use super::{HvSigner, SignError};
use crate::piv::TlvWriter;
use crate::token::SignatureAlgorithm;

/// An HV key that signs a certificate with one of its algorithms.
pub struct HvIssuerKey<'a> {
    signer: &'a dyn HvSigner,
    algorithm: SignatureAlgorithm,
    x509: &'static rcgen::SignatureAlgorithm,
    public_key: Vec<u8>,
    /// Where it is said why there was no signature: rcgen has no words for it.
    failure: &'a OnceLock<SignError>,
}

impl<'a> HvIssuerKey<'a> {
    /// The key of `signer`. When it does not sign, rcgen says that a remote key failed, and
    /// `failure` why.
    ///
    /// # Errors
    /// [`IssuerKeyError`] for a key that signs no certificates.
    pub fn new(
        signer: &'a dyn HvSigner,
        failure: &'a OnceLock<SignError>,
    ) -> Result<Self, IssuerKeyError> {
        let (algorithm, x509) = signer
            .algorithms()
            .iter()
            .find_map(|algorithm| Some((*algorithm, in_x509(*algorithm)?)))
            .ok_or(IssuerKeyError::NoAlgorithm)?;
        let (_, info) = SubjectPublicKeyInfo::from_der(signer.spki_der())
            .map_err(|_| IssuerKeyError::PublicKey)?;
        Ok(Self {
            signer,
            algorithm,
            x509,
            public_key: info.subject_public_key.data.to_vec(),
            failure,
        })
    }
}

impl PublicKeyData for HvIssuerKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.x509
    }
}

impl SigningKey for HvIssuerKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.signer.sign(self.algorithm, message);
        let signature = signature.map_err(|error| {
            // Only the first one counts, and there is one signature.
            let _ = self.failure.set(error);
            rcgen::Error::RemoteKeyError
        })?;
        match self.algorithm {
            SignatureAlgorithm::Es256 => ecdsa_der(&signature).ok_or(rcgen::Error::RemoteKeyError),
            _ => Ok(signature),
        }
    }
}

/// Why an HV key signs no certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerKeyError {
    /// It is of a kind that cannot.
    #[error("the HV key has no algorithm that fits a certificate")]
    NoAlgorithm,
    /// Its public part cannot be read.
    #[error("the HV key's public part is no SubjectPublicKeyInfo")]
    PublicKey,
}

/// The algorithm as rcgen has it, which has no RSASSA-PSS: an RSA key signs certificates with
/// PKCS#1 v1.5.
fn in_x509(algorithm: SignatureAlgorithm) -> Option<&'static rcgen::SignatureAlgorithm> {
    match algorithm {
        SignatureAlgorithm::Es256 => Some(&rcgen::PKCS_ECDSA_P256_SHA256),
        SignatureAlgorithm::EdDsa => Some(&rcgen::PKCS_ED25519),
        SignatureAlgorithm::Rs256 => Some(&rcgen::PKCS_RSA_SHA256),
        SignatureAlgorithm::Ps256 => None,
    }
}

/// r and s of 32 bytes each as X.509 has them: a SEQUENCE of two INTEGERs (RFC 3279 §2.2.3).
fn ecdsa_der(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature
        .split_at_checked(32)
        .filter(|(_, s)| s.len() == 32)?;
    let numbers = TlvWriter::new().with_number(r).with_number(s).into_bytes();
    Some(TlvWriter::new().with(SEQUENCE, &numbers).into_bytes())
}

const SEQUENCE: u32 = 0x30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_of_another_length_is_none() {
        let der = ecdsa_der(&[0xFF; 64]).expect("r and s");
        assert_eq!((der.len(), der[..2].to_vec()), (72, vec![0x30, 70]));
        for len in [0, 32, 63, 65] {
            assert!(ecdsa_der(&vec![1; len]).is_none(), "{len}");
        }
    }
}

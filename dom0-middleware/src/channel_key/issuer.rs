//! The HV key as rcgen wants a key that issues certificates.

use std::sync::OnceLock;

use proto::hv::{HvCertificate, HvSigner, SignError};
use proto::token::SignatureAlgorithm;
use rcgen::{PublicKeyData, SigningKey};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

use super::certificate::CertificateError;

/// An HV key that signs a certificate with one of its algorithms.
pub(super) struct HvIssuerKey<'a> {
    signer: &'a dyn HvSigner,
    algorithm: SignatureAlgorithm,
    x509: &'static rcgen::SignatureAlgorithm,
    public_key: Vec<u8>,
    /// Where it is said why there was no signature: rcgen has no words for it.
    failure: &'a OnceLock<SignError>,
}

impl<'a> HvIssuerKey<'a> {
    pub(super) fn new(
        signer: &'a dyn HvSigner,
        failure: &'a OnceLock<SignError>,
    ) -> Result<Self, CertificateError> {
        let (algorithm, x509) = signer
            .algorithms()
            .iter()
            .find_map(|algorithm| Some((*algorithm, in_x509(*algorithm)?)))
            .ok_or(CertificateError::NoAlgorithm)?;
        let (_, info) = SubjectPublicKeyInfo::from_der(signer.spki_der())
            .map_err(|_| CertificateError::PublicKey)?;
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
    let integers = [integer(r), integer(s)].concat();
    let len = u8::try_from(integers.len()).ok()?;
    Some([&[SEQUENCE, len][..], &integers].concat())
}

/// A number that is not negative, in as few bytes as DER has for it.
fn integer(big_endian: &[u8]) -> Vec<u8> {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let significant = big_endian.get(zeros..).unwrap_or_default();
    // A leading zero where the first bit would be a sign, and for the number 0.
    let sign: &[u8] = match significant.first() {
        Some(first) if first & 0x80 == 0 => &[],
        _ => &[0],
    };
    let len = u8::try_from(sign.len() + significant.len()).unwrap_or(u8::MAX);
    [&[INTEGER, len][..], sign, significant].concat()
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Whether `signer` has the private key of `certificate`.
pub(super) fn belongs_to(signer: &dyn HvSigner, certificate: &HvCertificate) -> bool {
    signer.spki_der() == certificate.spki_der()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_as_short_as_der_wants_them_and_never_negative() {
        assert_eq!(integer(&[0; 32]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 0x7F]), [2, 1, 0x7F]);
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0xFF; 32]).len(), 2 + 33);
    }

    #[test]
    fn a_signature_of_another_length_is_none() {
        let der = ecdsa_der(&[0xFF; 64]).expect("r and s");
        assert_eq!((der.len(), der[..2].to_vec()), (72, vec![0x30, 70]));
        for len in [0, 32, 63, 65] {
            assert!(ecdsa_der(&vec![1; len]).is_none(), "{len}");
        }
    }
}

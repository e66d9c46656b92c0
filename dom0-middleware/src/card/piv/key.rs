//! A key of a card, as its certificate describes it.

use proto::piv::{KeyAlgorithm, Slot};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls::SignatureScheme;
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::parse_x509_certificate;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// A slot with a certificate whose key can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PivKey {
    slot: Slot,
    algorithm: KeyAlgorithm,
    certificate: Vec<u8>,
    /// `RSAPublicKey`, or a point: what `subjectPublicKey` holds.
    public_key: Vec<u8>,
}

impl PivKey {
    /// The key that `certificate`, DER, says is in `slot`.
    ///
    /// # Errors
    /// [`KeyError`] if the certificate cannot be read or its key is of a kind cards are not used
    /// with here.
    pub fn new(slot: Slot, certificate: &[u8]) -> Result<Self, KeyError> {
        let (rest, parsed) =
            parse_x509_certificate(certificate).map_err(|_| KeyError::Unreadable)?;
        // Cards may pad.
        let len = certificate.len().saturating_sub(rest.len());
        let certificate = certificate.get(..len).unwrap_or_default().to_vec();
        let key = parsed.public_key();
        Ok(Self {
            slot,
            algorithm: algorithm_of(key)?,
            public_key: key.subject_public_key.data.to_vec(),
            certificate,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Of which kind it is.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Its certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// SHA-256 of its certificate.
    #[must_use]
    pub fn certificate_sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// The kinds of signatures it can make, the best first. PKCS#1 is for TLS 1.2 alone.
    #[must_use]
    pub fn schemes(&self) -> &'static [SignatureScheme] {
        use SignatureScheme as S;
        match self.algorithm {
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => &[
                S::RSA_PSS_SHA256,
                S::RSA_PSS_SHA384,
                S::RSA_PSS_SHA512,
                S::RSA_PKCS1_SHA256,
                S::RSA_PKCS1_SHA384,
                S::RSA_PKCS1_SHA512,
            ],
            KeyAlgorithm::P256 => &[S::ECDSA_NISTP256_SHA256],
            KeyAlgorithm::P384 => &[S::ECDSA_NISTP384_SHA384],
        }
    }

    /// Whether `signature` is one of `message` by this key.
    #[must_use]
    pub fn verifies(&self, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
        let Some(algorithm) = verification(scheme) else {
            return false;
        };
        let key = UnparsedPublicKey::new(algorithm, &self.public_key);
        self.schemes().contains(&scheme) && key.verify(message, signature).is_ok()
    }
}

fn algorithm_of(key: &SubjectPublicKeyInfo<'_>) -> Result<KeyAlgorithm, KeyError> {
    match key.parsed().map_err(|_| KeyError::Unreadable)? {
        PublicKey::RSA(rsa) => {
            let bits = modulus_bits(rsa.modulus);
            KeyAlgorithm::rsa(bits).ok_or(KeyError::RsaBits { bits })
        }
        PublicKey::EC(point) => match point.data() {
            // Uncompressed points: 04, x, y.
            [0x04, xy @ ..] if xy.len() == 64 => Ok(KeyAlgorithm::P256),
            [0x04, xy @ ..] if xy.len() == 96 => Ok(KeyAlgorithm::P384),
            _ => Err(KeyError::Curve),
        }
        .and_then(|algorithm| match curve(key) == Some(oid_of(algorithm)) {
            true => Ok(algorithm),
            false => Err(KeyError::Curve),
        }),
        _ => Err(KeyError::Kind),
    }
}

/// The object identifier of the curve, as text.
fn curve(key: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    Some(curve.to_id_string())
}

fn oid_of(algorithm: KeyAlgorithm) -> String {
    match algorithm {
        KeyAlgorithm::P384 => "1.3.132.0.34".to_owned(),
        _ => "1.2.840.10045.3.1.7".to_owned(),
    }
}

/// How long the modulus is; zeroes before it do not count.
fn modulus_bits(modulus: &[u8]) -> usize {
    let zeroes = modulus.iter().take_while(|byte| **byte == 0).count();
    let number = modulus.get(zeroes..).unwrap_or_default();
    let top = number.first().map_or(0, |byte| byte.leading_zeros());
    number.len().saturating_mul(8).saturating_sub(top as usize)
}

fn verification(scheme: SignatureScheme) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match scheme {
        SignatureScheme::RSA_PSS_SHA256 => &signature::RSA_PSS_2048_8192_SHA256,
        SignatureScheme::RSA_PSS_SHA384 => &signature::RSA_PSS_2048_8192_SHA384,
        SignatureScheme::RSA_PSS_SHA512 => &signature::RSA_PSS_2048_8192_SHA512,
        SignatureScheme::RSA_PKCS1_SHA256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        SignatureScheme::RSA_PKCS1_SHA384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        SignatureScheme::RSA_PKCS1_SHA512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        SignatureScheme::ECDSA_NISTP256_SHA256 => &signature::ECDSA_P256_SHA256_ASN1,
        SignatureScheme::ECDSA_NISTP384_SHA384 => &signature::ECDSA_P384_SHA384_ASN1,
        _ => return None,
    })
}

/// Why the key of a certificate cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not a certificate, or one that cannot be read.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// RSA of another length.
    #[error("RSA of {bits} bits; 2048, 3072 and 4096 are used")]
    RsaBits {
        /// Its length.
        bits: usize,
    },
    /// Another curve, or a point in another form.
    #[error("another elliptic curve than P-256 and P-384")]
    Curve,
    /// Neither RSA nor an elliptic curve.
    #[error("neither RSA nor an elliptic curve")]
    Kind,
}

//! A key of a card, as its public part describes it.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use thiserror::Error;
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::piv::{KeyAlgorithm, SignatureForm, SignatureHash, Slot};

/// A key in a slot, by its public part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PivKey {
    slot: Slot,
    algorithm: KeyAlgorithm,
    /// `RSAPublicKey`, or a point: what `subjectPublicKey` holds.
    public_key: Vec<u8>,
}

/// A key with its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedKey {
    /// The key.
    pub key: PivKey,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
}

impl PivKey {
    /// The key that `certificate`, DER, says is in `slot`.
    ///
    /// # Errors
    /// [`KeyError`] if the certificate cannot be read or its key is of a kind cards are not used
    /// with here.
    pub fn of_certificate(slot: Slot, certificate: &[u8]) -> Result<Self, KeyError> {
        match parse_x509_certificate(certificate) {
            Ok(([], parsed)) => Self::of(slot, parsed.public_key()),
            _ => Err(KeyError::Unreadable),
        }
    }

    /// The key that a SubjectPublicKeyInfo, DER, says is in `slot`.
    ///
    /// # Errors
    /// As [`Self::of_certificate`].
    pub fn of_spki(slot: Slot, spki: &[u8]) -> Result<Self, KeyError> {
        match SubjectPublicKeyInfo::from_der(spki) {
            Ok(([], spki)) => Self::of(slot, &spki),
            _ => Err(KeyError::Unreadable),
        }
    }

    fn of(slot: Slot, key: &SubjectPublicKeyInfo<'_>) -> Result<Self, KeyError> {
        Ok(Self {
            slot,
            algorithm: algorithm_of(key)?,
            public_key: key.subject_public_key.data.to_vec(),
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

    /// Whether `signature` is one of `message` by this key; of an elliptic curve it is DER.
    #[must_use]
    pub fn verifies(&self, form: SignatureForm, message: &[u8], signature: &[u8]) -> bool {
        verification(form).is_some_and(|algorithm| {
            let key = UnparsedPublicKey::new(algorithm, &self.public_key);
            key.verify(message, signature).is_ok()
        })
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

/// `None` for what no card signs.
fn verification(form: SignatureForm) -> Option<&'static dyn VerificationAlgorithm> {
    use SignatureForm::{Ecdsa, Pkcs1, Pss};
    use SignatureHash::{Sha256, Sha384, Sha512};
    Some(match form {
        Pss(Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
        Pss(Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
        Pss(Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
        Pkcs1(Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        Pkcs1(Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        Pkcs1(Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        Ecdsa(Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
        Ecdsa(Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
        Ecdsa(Sha512) => return None,
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

//! The private key of a slot.

use std::fmt;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use proto::piv::{KeyAlgorithm, TlvWriter};
use rand::rngs::OsRng;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPrivateKey};
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

/// A private key that signs what it is given, as a card does: padding and hashing are the host's.
pub enum SlotKey {
    /// RSA with 2,048, 3,072 or 4,096 bits.
    Rsa(Box<RsaPrivateKey>, KeyAlgorithm),
    /// ECDSA on P-256, with its public key, which signing wants at hand.
    P256(p256::ecdsa::SigningKey),
    /// The same on P-384.
    P384(p384::ecdsa::SigningKey),
}

/// Why a key is none for a slot.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The algorithm, or the size.
    #[error("neither RSA with 2048, 3072 or 4096 bits nor ECDSA on P-256 or P-384")]
    Kind,
}

/// What cannot be signed: a block of another length, or one larger than the modulus.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongChallenge;

impl SlotKey {
    /// Reads a key in any of its usual forms: PKCS#8, PKCS#1, SEC1.
    ///
    /// # Errors
    /// Any other key.
    pub fn from_der(key: &PrivateKeyDer<'_>) -> Result<Self, KeyError> {
        let read = match key {
            PrivateKeyDer::Pkcs1(der) => {
                let key = RsaPrivateKey::from_pkcs1_der(der.secret_pkcs1_der());
                key.ok().and_then(Self::rsa)
            }
            PrivateKeyDer::Sec1(der) => {
                let der = der.secret_sec1_der();
                let p256 = p256::SecretKey::from_sec1_der(der).map(Self::p256);
                p256.or_else(|_| p384::SecretKey::from_sec1_der(der).map(Self::p384))
                    .ok()
            }
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let rsa = RsaPrivateKey::from_pkcs8_der(der).ok().and_then(Self::rsa);
                rsa.or_else(|| p256::SecretKey::from_pkcs8_der(der).ok().map(Self::p256))
                    .or_else(|| p384::SecretKey::from_pkcs8_der(der).ok().map(Self::p384))
            }
            _ => None,
        };
        read.ok_or(KeyError::Kind)
    }

    /// Makes a key. RSA takes its time.
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Option<Self> {
        Some(match algorithm {
            KeyAlgorithm::P256 => Self::p256(p256::SecretKey::random(&mut OsRng)),
            KeyAlgorithm::P384 => Self::p384(p384::SecretKey::random(&mut OsRng)),
            rsa => {
                let bits = rsa.modulus_len()? * 8;
                Self::rsa(RsaPrivateKey::new(&mut OsRng, bits).ok()?)?
            }
        })
    }

    fn rsa(key: RsaPrivateKey) -> Option<Self> {
        let algorithm = KeyAlgorithm::rsa(key.n().bits())?;
        Some(Self::Rsa(Box::new(key), algorithm))
    }

    fn p256(key: p256::SecretKey) -> Self {
        Self::P256(key.into())
    }

    fn p384(key: p384::SecretKey) -> Self {
        Self::P384(key.into())
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Rsa(_, algorithm) => *algorithm,
            Self::P256(_) => KeyAlgorithm::P256,
            Self::P384(_) => KeyAlgorithm::P384,
        }
    }

    /// PKCS#8, PEM.
    ///
    /// # Panics
    /// Never: all of these keys can be written.
    pub fn to_pem(&self) -> Zeroizing<String> {
        match self {
            Self::Rsa(key, _) => key.to_pkcs8_pem(LineEnding::LF),
            Self::P256(key) => {
                p256::SecretKey::from(key.as_nonzero_scalar()).to_pkcs8_pem(LineEnding::LF)
            }
            Self::P384(key) => {
                p384::SecretKey::from(key.as_nonzero_scalar()).to_pkcs8_pem(LineEnding::LF)
            }
        }
        .expect("a valid key")
    }

    /// The operation of the key: of RSA that on a block as long as the modulus, of ECDSA the
    /// signature of a hash no longer than the curve's numbers, as DER.
    ///
    /// Source: NIST SP 800-73-4 part 2 §3.2.4, appendix A.4.
    pub(super) fn sign(&self, challenge: &[u8]) -> Result<Vec<u8>, WrongChallenge> {
        match self {
            Self::Rsa(key, _) => raw_rsa(key, challenge),
            Self::P256(key) => {
                let hash = padded::<32>(challenge)?;
                let signature: p256::ecdsa::Signature =
                    key.sign_prehash(&hash).map_err(|_| WrongChallenge)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::P384(key) => {
                let hash = padded::<48>(challenge)?;
                let signature: p384::ecdsa::Signature =
                    key.sign_prehash(&hash).map_err(|_| WrongChallenge)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
        }
    }

    /// The public key as GENERATE ASYMMETRIC KEY PAIR answers it.
    ///
    /// Source: NIST SP 800-73-4 part 2 §3.3.2.
    pub(super) fn public_template(&self) -> Vec<u8> {
        let template = TlvWriter::new().with(0x7F49, &self.public_part());
        template.into_bytes()
    }

    /// What is in that template.
    pub(super) fn public_part(&self) -> Vec<u8> {
        let part = match self {
            Self::Rsa(key, _) => {
                let modulus = TlvWriter::new().with(0x81, &key.n().to_bytes_be());
                modulus.with(0x82, &key.e().to_bytes_be())
            }
            Self::P256(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                TlvWriter::new().with(0x86, point.as_bytes())
            }
            Self::P384(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                TlvWriter::new().with(0x86, point.as_bytes())
            }
        };
        part.into_bytes()
    }
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotKey({:?})", self.algorithm())
    }
}

/// Blinded, and checked before it is given out: a fault in it would give the key away.
fn raw_rsa(key: &RsaPrivateKey, block: &[u8]) -> Result<Vec<u8>, WrongChallenge> {
    if block.len() != key.size() {
        return Err(WrongChallenge);
    }
    let block = BigUint::from_bytes_be(block);
    let number = rsa::hazmat::rsa_decrypt_and_check(key, Some(&mut OsRng), &block);
    let bytes = number.map_err(|_| WrongChallenge)?.to_bytes_be();
    let mut result = vec![0; key.size().saturating_sub(bytes.len())];
    result.extend_from_slice(&bytes);
    Ok(result)
}

/// A hash as a number of the curve's length.
fn padded<const LEN: usize>(hash: &[u8]) -> Result<[u8; LEN], WrongChallenge> {
    let mut padded = [0; LEN];
    let start = LEN.checked_sub(hash.len()).filter(|_| !hash.is_empty());
    let place = start.and_then(|start| padded.get_mut(start..));
    place.ok_or(WrongChallenge)?.copy_from_slice(hash);
    Ok(padded)
}

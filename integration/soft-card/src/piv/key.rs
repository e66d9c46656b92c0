//! The private key of a slot.

use std::fmt;

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use proto::piv::{KeyAlgorithm, TlvWriter};
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

/// A private key that signs what it is given, as a card does: padding and hashing are the host's.
pub struct SlotKey {
    key: Key,
    algorithm: KeyAlgorithm,
}

enum Key {
    Rsa(Rsa<Private>),
    Ec(EcKey<Private>),
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
    /// Any other key, and one whose numbers do not fit each other.
    pub fn from_der(key: &PrivateKeyDer<'_>) -> Result<Self, KeyError> {
        let key = PKey::private_key_from_der(key.secret_der()).map_err(|_| KeyError::Kind)?;
        let read = if let Ok(rsa) = key.rsa() {
            let is_whole = is_whole(&rsa).unwrap_or(false);
            is_whole.then_some(rsa).and_then(Self::rsa)
        } else {
            let ec = key.ec_key().ok();
            ec.filter(|ec| ec.check_key().is_ok()).and_then(Self::ec)
        };
        read.ok_or(KeyError::Kind)
    }

    /// Makes a key. RSA takes its time.
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Option<Self> {
        match algorithm {
            KeyAlgorithm::P256 => Self::ec(on_curve(Nid::X9_62_PRIME256V1).ok()?),
            KeyAlgorithm::P384 => Self::ec(on_curve(Nid::SECP384R1).ok()?),
            rsa => {
                let bits = u32::try_from(rsa.modulus_len()? * 8).ok()?;
                Self::rsa(Rsa::generate(bits).ok()?)
            }
        }
    }

    fn rsa(key: Rsa<Private>) -> Option<Self> {
        let bits = usize::try_from(key.n().num_bits()).ok()?;
        let algorithm = KeyAlgorithm::rsa(bits)?;
        Some(Self {
            key: Key::Rsa(key),
            algorithm,
        })
    }

    fn ec(key: EcKey<Private>) -> Option<Self> {
        let algorithm = match key.group().curve_name()? {
            Nid::X9_62_PRIME256V1 => KeyAlgorithm::P256,
            Nid::SECP384R1 => KeyAlgorithm::P384,
            _ => return None,
        };
        Some(Self {
            key: Key::Ec(key),
            algorithm,
        })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// PKCS#8, PEM.
    ///
    /// # Panics
    /// Never: all of these keys can be written.
    pub fn to_pem(&self) -> Zeroizing<Vec<u8>> {
        let key = match &self.key {
            Key::Rsa(key) => PKey::from_rsa(key.clone()),
            Key::Ec(key) => PKey::from_ec_key(key.clone()),
        };
        let pem = key.and_then(|key| key.private_key_to_pem_pkcs8());
        Zeroizing::new(pem.expect("a valid key"))
    }

    /// The operation of the key: of RSA that on a block as long as the modulus, of ECDSA the
    /// signature of a hash no longer than the curve's numbers, as DER.
    ///
    /// Source: NIST SP 800-73-4 part 2 §3.2.4, appendix A.4.
    pub(super) fn sign(&self, challenge: &[u8]) -> Result<Vec<u8>, WrongChallenge> {
        match (&self.key, self.algorithm) {
            (Key::Rsa(key), _) => raw_rsa(key, challenge),
            (Key::Ec(key), KeyAlgorithm::P256) => ecdsa(key, &padded::<32>(challenge)?),
            (Key::Ec(key), _) => ecdsa(key, &padded::<48>(challenge)?),
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
    ///
    /// # Panics
    /// Never: each of these keys has a public part.
    pub(super) fn public_part(&self) -> Vec<u8> {
        let part = match &self.key {
            Key::Rsa(key) => {
                let modulus = TlvWriter::new().with(0x81, &key.n().to_vec());
                modulus.with(0x82, &key.e().to_vec())
            }
            Key::Ec(key) => TlvWriter::new().with(0x86, &point(key).expect("a valid key")),
        };
        part.into_bytes()
    }
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotKey({:?})", self.algorithm())
    }
}

fn on_curve(curve: Nid) -> Result<EcKey<Private>, ErrorStack> {
    EcKey::generate(EcGroup::from_curve_name(curve)?.as_ref())
}

/// The public point, uncompressed.
fn point(key: &EcKey<Private>) -> Result<Vec<u8>, ErrorStack> {
    let form = PointConversionForm::UNCOMPRESSED;
    let mut context = BigNumContext::new()?;
    key.public_key().to_bytes(key.group(), form, &mut context)
}

/// Whether the primes are there and make the modulus. That they are primes takes the library a second
/// to find out; whoever brings the key is believed that.
fn is_whole(key: &Rsa<Private>) -> Result<bool, ErrorStack> {
    let (Some(p), Some(q)) = (key.p(), key.q()) else {
        return Ok(false);
    };
    let mut product = BigNum::new()?;
    let mut context = BigNumContext::new()?;
    product.checked_mul(p, q, &mut context)?;
    Ok(&*product == key.n())
}

/// Blinded, and checked before it is given out: a fault in it would give the key away. The library
/// does both.
fn raw_rsa(key: &Rsa<Private>, block: &[u8]) -> Result<Vec<u8>, WrongChallenge> {
    let mut result = vec![0; usize::try_from(key.size()).map_err(|_| WrongChallenge)?];
    if block.len() != result.len() {
        return Err(WrongChallenge);
    }
    match key.private_encrypt(block, &mut result, Padding::NONE) {
        Ok(len) if len == result.len() => Ok(result),
        _ => Err(WrongChallenge),
    }
}

fn ecdsa(key: &EcKey<Private>, hash: &[u8]) -> Result<Vec<u8>, WrongChallenge> {
    let signature = EcdsaSig::sign(hash, key).and_then(|signature| signature.to_der());
    signature.map_err(|_| WrongChallenge)
}

/// A hash as a number of the curve's length.
fn padded<const LEN: usize>(hash: &[u8]) -> Result<[u8; LEN], WrongChallenge> {
    let mut padded = [0; LEN];
    let start = LEN.checked_sub(hash.len()).filter(|_| !hash.is_empty());
    let place = start.and_then(|start| padded.get_mut(start..));
    place.ok_or(WrongChallenge)?.copy_from_slice(hash);
    Ok(padded)
}

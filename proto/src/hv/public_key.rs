//! The public key of an HV, and which signatures it can check.

use std::fmt;

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

#[cfg(feature = "piv")]
use crate::piv::KeyAlgorithm;
use crate::token::SignatureAlgorithm;

/// The public key of an HV. `Display` says its kind: `RSA 3072`, `P-256`, `Ed25519`.
#[derive(Clone, PartialEq, Eq)]
pub struct HvPublicKey {
    kind: Kind,
    /// As `ring` takes it: RSAPublicKey (RFC 8017 §A.1.1), the point, or the 32 bytes.
    bytes: Vec<u8>,
    /// The SubjectPublicKeyInfo that it came in.
    spki: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa { bits: usize },
    P256,
    Ed25519,
}

impl HvPublicKey {
    /// The key in a SubjectPublicKeyInfo in DER, with nothing behind it.
    ///
    /// # Errors
    /// [`PublicKeyError`] if it is none, or of a key that signs no tokens.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, PublicKeyError> {
        match SubjectPublicKeyInfo::from_der(spki) {
            Ok(([], spki)) => Self::from_spki(&spki),
            _ => Err(PublicKeyError::Unreadable),
        }
    }

    /// The key in this SubjectPublicKeyInfo.
    pub(super) fn from_spki(spki: &SubjectPublicKeyInfo<'_>) -> Result<Self, PublicKeyError> {
        let algorithm = &spki.algorithm.algorithm;
        let parameters = spki.algorithm.parameters.as_ref();
        let bytes = spki.subject_public_key.data.to_vec();
        let other = |what: String| Err(PublicKeyError::Kind(what));
        let kind = if *algorithm == OID_PKCS1_RSAENCRYPTION {
            match rsa_bits(spki) {
                Some(bits @ 2048..=8192) => Kind::Rsa { bits },
                Some(bits) => return other(format!("RSA {bits}")),
                None => return other("an RSA key that cannot be read".to_owned()),
            }
        } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = parameters.and_then(|parameters| parameters.as_oid().ok());
            match (curve, bytes.as_slice()) {
                (Some(curve), [0x04, coordinates @ ..])
                    if curve == OID_EC_P256 && coordinates.len() == 64 =>
                {
                    Kind::P256
                }
                _ => return other("on another curve than P-256, or compressed".to_owned()),
            }
        } else if *algorithm == OID_SIG_ED25519 && bytes.len() == 32 {
            Kind::Ed25519
        } else {
            return other(format!("of the algorithm {algorithm}"));
        };
        let spki = spki.raw.to_vec();
        Ok(Self { kind, bytes, spki })
    }

    /// The DER SubjectPublicKeyInfo that it was read from; equals that of the signer with its key.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The algorithms that fit this key, the one to prefer first.
    #[must_use]
    pub fn algorithms(&self) -> &'static [SignatureAlgorithm] {
        match self.kind {
            Kind::Rsa { .. } => &[SignatureAlgorithm::Ps256, SignatureAlgorithm::Rs256],
            Kind::P256 => &[SignatureAlgorithm::Es256],
            Kind::Ed25519 => &[SignatureAlgorithm::EdDsa],
        }
    }

    /// Which key of a PIV card it may be; `None` for kinds that such cards do not have.
    #[cfg(feature = "piv")]
    #[must_use]
    pub fn piv_algorithm(&self) -> Option<KeyAlgorithm> {
        match self.kind {
            Kind::Rsa { bits } => KeyAlgorithm::rsa(bits),
            Kind::P256 => Some(KeyAlgorithm::P256),
            Kind::Ed25519 => None,
        }
    }

    /// Checks a signature over `message`; an ES256 signature is r and s, 64 bytes.
    ///
    /// # Errors
    /// [`SignatureMismatch`] if it is not this key's, and if `algorithm` does not fit the key.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureMismatch> {
        let algorithm: &dyn VerificationAlgorithm = match (algorithm, self.kind) {
            (SignatureAlgorithm::Ps256, Kind::Rsa { .. }) => &RSA_PSS_2048_8192_SHA256,
            (SignatureAlgorithm::Rs256, Kind::Rsa { .. }) => &RSA_PKCS1_2048_8192_SHA256,
            (SignatureAlgorithm::Es256, Kind::P256) => &ECDSA_P256_SHA256_FIXED,
            (SignatureAlgorithm::EdDsa, Kind::Ed25519) => &ED25519,
            _ => return Err(SignatureMismatch),
        };
        let key = UnparsedPublicKey::new(algorithm, &self.bytes);
        key.verify(message, signature)
            .map_err(|_| SignatureMismatch)
    }
}

impl fmt::Display for HvPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Rsa { bits } => write!(f, "RSA {bits}"),
            Kind::P256 => f.write_str("P-256"),
            Kind::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

impl fmt::Debug for HvPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HvPublicKey({self})")
    }
}

/// Why this cannot be the public key of an HV.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not what public keys are written as.
    #[error("not a public key (SubjectPublicKeyInfo) in DER")]
    Unreadable,
    /// A key that signs no tokens.
    #[error(
        "the key is {0}; an HV key is RSA of 2048 to 8192 bits (rsaEncryption), P-256 or Ed25519"
    )]
    Kind(String),
}

/// A signature that is not this key's over this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a signature by this key")]
pub struct SignatureMismatch;

/// Length of the modulus in bits.
fn rsa_bits(spki: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    let Ok(PublicKey::RSA(key)) = spki.parsed() else {
        return None;
    };
    let mut modulus = key.modulus.iter().copied().skip_while(|byte| *byte == 0);
    let first = modulus.next()?;
    let first_bits = usize::try_from(u8::BITS - first.leading_zeros()).ok()?;
    modulus.count().checked_mul(8)?.checked_add(first_bits)
}

//! The public key of a guest's channel, which its token names in `cnf`.

use std::fmt;

use ring::digest::{SHA256, digest};

use crate::hex;
use crate::pem::{self, PemError};

/// The public key with which a guest authenticates its channel.
///
/// Equal keys have equal SubjectPublicKeyInfo, byte for byte: that is what dom0 compares with what
/// the peer showed in TLS. Whether a P-256 point lies on the curve is not looked at: a point that
/// does not belongs to no private key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ConfirmationKey {
    /// An Ed25519 key (RFC 8032).
    Ed25519([u8; 32]),
    /// An uncompressed point of P-256: 04, x, y (SEC 1 §2.3.3).
    P256([u8; 65]),
}

impl ConfirmationKey {
    /// The key in this DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// If it is none of the two kinds in its only DER form.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, ConfirmationKeyError> {
        if let Some(key) = spki.strip_prefix(ED25519_PREFIX) {
            let key = key.try_into().map_err(|_| ConfirmationKeyError::Kind)?;
            return Ok(Self::Ed25519(key));
        }
        let point = spki.strip_prefix(P256_PREFIX);
        let point: [u8; 65] = point
            .and_then(|point| point.try_into().ok())
            .ok_or(ConfirmationKeyError::Kind)?;
        match point.first() {
            Some(&UNCOMPRESSED) => Ok(Self::P256(point)),
            _ => Err(ConfirmationKeyError::Kind),
        }
    }

    /// The key in this PEM file, from its block `PUBLIC KEY`.
    ///
    /// # Errors
    /// If there is no such block, or not one of the two kinds of key in it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, ConfirmationKeyError> {
        Self::from_spki_der(&pem::decode(LABEL, pem)?)
    }

    /// Its DER SubjectPublicKeyInfo, of which there is one.
    #[must_use]
    pub fn spki_der(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => [ED25519_PREFIX, key].concat(),
            Self::P256(point) => [P256_PREFIX, point].concat(),
        }
    }

    /// As a PEM block `PUBLIC KEY`.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.spki_der())
    }

    /// What people compare: `SHA256:` and the SHA-256 of its SubjectPublicKeyInfo in hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!(
            "SHA256:{}",
            hex::encode(digest(&SHA256, &self.spki_der()).as_ref())
        )
    }
}

/// The kind of key.
impl fmt::Display for ConfirmationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "Ed25519",
            Self::P256(_) => "P-256",
        })
    }
}

/// Why this is no key for a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmationKeyError {
    /// No PEM block with a public key.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Another kind of key, or not in DER.
    #[error("not an Ed25519 or an uncompressed P-256 public key")]
    Kind,
}

const LABEL: &str = "PUBLIC KEY";

/// First byte of a point that is not compressed.
const UNCOMPRESSED: u8 = 0x04;

/// Everything of the SubjectPublicKeyInfo before the key (RFC 8410 §4).
const ED25519_PREFIX: &[u8] = &[
    0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Everything of the SubjectPublicKeyInfo before the point (RFC 5480 §2).
const P256_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
    0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `openssl genpkey -algorithm … | openssl pkey -pubout`.
    const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAtUwug0gtRfZWPG4pjn0iWLqKM+hlINJsM+KLws9Kps0=
-----END PUBLIC KEY-----
";
    const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMTYDffiZpCyoMu9ToX7A3QD87Dyq
4pCNwXe/IlrHS+RLHHl0KxKL2C3pPSE+QqVk+fuaWKZHotIMrWgqcZ5L5A==
-----END PUBLIC KEY-----
";

    #[test]
    fn keys_made_by_openssl_are_read_and_written_as_openssl_does() {
        for (pem, kind, fingerprint) in [
            (
                ED25519,
                "Ed25519",
                "ec843a8db04b64cd79c6bb669e03c8ba07011003a7b25d5a5d3825d474706f9d",
            ),
            (
                P256,
                "P-256",
                "deffcee77c3c8bf02cd11c985125887806521dfc4fe359b76607e5d5131916cc",
            ),
        ] {
            let key = ConfirmationKey::from_pem(pem.as_bytes()).expect("a good key");
            assert_eq!(key.to_string(), kind);
            assert_eq!(key.to_pem(), pem);
            assert_eq!(key.fingerprint(), format!("SHA256:{fingerprint}"));
            assert_eq!(ConfirmationKey::from_spki_der(&key.spki_der()), Ok(key));
        }
    }

    #[test]
    fn no_prefix_no_longer_form_and_no_compressed_point_is_a_key() {
        for pem in [ED25519, P256] {
            let mut spki = pem::decode(LABEL, pem.as_bytes()).expect("PEM");
            for len in 0..spki.len() {
                let prefix = ConfirmationKey::from_spki_der(&spki[..len]);
                assert_eq!(prefix, Err(ConfirmationKeyError::Kind), "{len}");
            }
            spki.push(0);
            assert!(ConfirmationKey::from_spki_der(&spki).is_err());
        }
        let mut spki = pem::decode(LABEL, P256.as_bytes()).expect("PEM");
        spki[26] = 0x02;
        assert!(ConfirmationKey::from_spki_der(&spki).is_err());
    }
}

//! What a card turned out to hold.

use proto::id::IdentityName;
use rustls::SignatureScheme;
use sha2::{Digest, Sha256};

/// One identity found on a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Its name on the card.
    pub name: IdentityName,
    /// Its certificate; `None` when the card does not let it be read.
    pub certificate: Option<Certificate>,
    /// How its key can sign for a handshake that the service makes, best first.
    pub schemes: Vec<SignatureScheme>,
}

/// A certificate with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    sha256: [u8; 32],
}

impl Certificate {
    /// The certificate that is encoded as `der`, whatever it says.
    #[must_use]
    pub fn new(der: Vec<u8>) -> Self {
        let sha256 = Sha256::digest(&der).into();
        Self { der, sha256 }
    }

    /// Its encoding.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of its encoding.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}

//! What the broker orders from a card: one handshake, or one signature, for one domain.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use proto::id::{DomainUuid, IdentityName};
use proto::tls::ProtocolVersion;
use rustls::SignatureScheme;

use super::trust::Trust;

/// One use of a card, numbered by the broker, never twice in a run of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UseId(pub u64);

impl fmt::Display for UseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// All a worker needs to run one handshake. The broker has judged it; the worker trusts its fields.
#[derive(Debug, Clone)]
pub struct Job {
    /// Names this use in every report about it.
    pub use_id: UseId,
    /// For whom the handshake runs: a session is never resumed for another domain.
    pub domain: DomainUuid,
    /// Which of the card's identities to use.
    pub identity: IdentityName,
    /// The server's name, checked against its certificate; sent as SNI when the card can.
    pub server_name: String,
    /// ALPN protocols in order of preference; empty for none.
    pub alpn: Vec<Vec<u8>>,
    /// The lowest TLS version allowed, by binding and guest together.
    pub min_version: ProtocolVersion,
    /// The highest TLS version allowed, by binding and guest together.
    pub max_version: ProtocolVersion,
    /// Whether the guest itself named a version range. A card that takes no handshake parameters
    /// cannot carry such a wish; the binding's own range is only checked on what it offers.
    pub version_wish: bool,
    /// Whether an earlier session may be resumed.
    pub resume: bool,
    /// What the server's certificate is checked against.
    pub trust: Arc<Trust>,
    /// SHA-256 of the DER certificate the card must present for this identity.
    pub client_certificate_sha256: [u8; 32],
    /// The most handshake bytes taken from the server, and from the card, each.
    pub max_handshake_bytes: usize,
}

/// All a worker needs for one signature of a handshake that the service makes. The broker has judged
/// it; the worker trusts its fields.
#[derive(Debug)]
pub struct SignJob {
    /// Names this use in every report about it.
    pub use_id: UseId,
    /// Whose key signs.
    pub identity: IdentityName,
    /// How: hash, and padding where the key is RSA.
    pub scheme: SignatureScheme,
    /// What is signed; not its hash.
    pub message: Vec<u8>,
    /// SHA-256 of the DER certificate whose key must have signed.
    pub client_certificate_sha256: [u8; 32],
    /// Where it goes.
    pub slot: SignatureSlot,
}

/// Where a signature is put for who waits for it. Dropped, it says that there will be none.
#[derive(Debug)]
pub struct SignatureSlot(Sender<SignatureNews>);

/// What is put there.
#[derive(Debug, PartialEq, Eq)]
pub enum SignatureNews {
    /// The card has made it; nobody knows yet whether it is right. As TLS wants it: a block as long as
    /// the RSA modulus, or a DER `Ecdsa-Sig-Value`.
    Made(Vec<u8>),
    /// It is right.
    Right,
}

impl SignatureSlot {
    /// One, and where to wait for what is put there.
    #[must_use]
    pub fn new() -> (Self, Receiver<SignatureNews>) {
        let (sender, receiver) = channel();
        (Self(sender), receiver)
    }

    /// Never waits. Who waits no more need not know.
    pub fn put(&self, news: SignatureNews) {
        let _ = self.0.send(news);
    }
}

//! What one handshake shall be, as far as the driver needs to know.

use proto::id::{DomainUuid, IdentityName};
use proto::tls::ProtocolVersion;

use crate::card::job::Job;

/// One handshake for one domain.
#[derive(Debug, Clone)]
pub struct HandshakeRequest {
    /// For whom; a session is never resumed for another domain.
    pub domain: DomainUuid,
    /// Which of the card's identities.
    pub identity: IdentityName,
    /// The server's name.
    pub server_name: String,
    /// ALPN protocols in order of preference.
    pub alpn: Vec<Vec<u8>>,
    /// The lowest version allowed.
    pub min_version: ProtocolVersion,
    /// The highest version allowed.
    pub max_version: ProtocolVersion,
    /// Whether the range is the guest's own wish.
    pub version_wish: bool,
    /// Whether an earlier session may be resumed.
    pub resume: bool,
    /// Digest of the trust the server is checked against.
    pub trust: [u8; 32],
    /// SHA-256 of the certificate the card must present.
    pub client_certificate_sha256: [u8; 32],
    /// The most handshake bytes, each way.
    pub max_bytes: usize,
}

impl From<&Job> for HandshakeRequest {
    fn from(job: &Job) -> Self {
        Self {
            domain: job.domain,
            identity: job.identity.clone(),
            server_name: job.server_name.clone(),
            alpn: job.alpn.clone(),
            min_version: job.min_version,
            max_version: job.max_version,
            version_wish: job.version_wish,
            resume: job.resume,
            trust: job.trust.fingerprint(),
            client_certificate_sha256: job.client_certificate_sha256,
            max_bytes: job.max_handshake_bytes,
        }
    }
}

//! What one handshake shall be, and whether rustls can be asked for it.

use std::sync::Arc;

use proto::id::{DomainUuid, IdentityName, Seid};
use proto::tls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use rustls::{SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::ServerName;

use crate::card::{PolicyFault, SessionError, Trust, TrustError};

/// One handshake for one domain, as the broker has judged it.
#[derive(Debug, Clone)]
pub struct EngineRequest {
    /// For whom; a session is never resumed for another domain.
    pub domain: DomainUuid,
    /// The card that signs.
    pub seid: Seid,
    /// Which of its identities.
    pub identity: IdentityName,
    /// The identity's certificate and those between it and its CA, DER, leaf first.
    pub certificates: Vec<Vec<u8>>,
    /// What the card and its key can sign, the best first.
    pub schemes: Vec<SignatureScheme>,
    /// The server's name, checked against its certificate; sent as SNI unless it is an address.
    pub server_name: String,
    /// ALPN protocols in order of preference; empty for none.
    pub alpn: Vec<Vec<u8>>,
    /// The lowest version allowed.
    pub min_version: ProtocolVersion,
    /// The highest version allowed.
    pub max_version: ProtocolVersion,
    /// Whether an earlier session may be resumed, and this one later on.
    pub resume: bool,
    /// What the server's certificate is checked against.
    pub trust: Arc<Trust>,
    /// The most handshake bytes, each way.
    pub max_bytes: usize,
}

impl EngineRequest {
    /// The versions of the range that there are.
    pub(super) fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, SessionError> {
        let range = self.min_version..=self.max_version;
        let known = [
            (ProtocolVersion::TLS1_2, &TLS12),
            (ProtocolVersion::TLS1_3, &TLS13),
        ];
        let allowed = known
            .into_iter()
            .filter(|(version, _)| range.contains(version));
        let versions: Vec<_> = allowed.map(|(_, supported)| supported).collect();
        if versions.is_empty() {
            let (min, max) = (self.min_version, self.max_version);
            return Err(PolicyFault::NoVersion { min, max }.into());
        }
        Ok(versions)
    }

    /// The server's name as TLS has it.
    pub(super) fn name(&self) -> Result<ServerName<'static>, SessionError> {
        ServerName::try_from(self.server_name.clone()).map_err(|_| {
            SessionError::PeerUntrusted(TrustError::NotAName {
                server_name: self.server_name.clone(),
            })
        })
    }

    /// Whether everything fits into the messages that rustls will make of it.
    pub(super) fn check(&self) -> Result<(), SessionError> {
        let lengths = self.alpn.iter().map(Vec::len);
        let fits = lengths
            .clone()
            .all(|length| (1..=MAX_PROTOCOL).contains(&length));
        if !fits || lengths.sum::<usize>() > MAX_PROTOCOLS {
            return Err(PolicyFault::ParametersTooLong.into());
        }
        let total: usize = self.certificates.iter().map(Vec::len).sum();
        if self.certificates.is_empty() || total > MAX_CERTIFICATE_BYTES {
            let count = self.certificates.len();
            return Err(SessionError::Internal {
                reason: format!("an identity of {count} certificates, {total} bytes"),
            });
        }
        Ok(())
    }
}

/// Bytes in the name of one protocol (RFC 7301 §3.1).
const MAX_PROTOCOL: usize = 255;
/// Bytes of all names together, far more than anybody asks for.
const MAX_PROTOCOLS: usize = 4_096;
/// Bytes of the certificates a client shows; cards have room for a fraction of that.
const MAX_CERTIFICATE_BYTES: usize = 64 << 10;

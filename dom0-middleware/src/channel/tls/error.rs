//! Why there is no channel with a guest.

use std::io;

use thiserror::Error;

/// Why a TLS handshake with a guest failed. For the audit and the log; the guest gets an alert.
#[derive(Debug, Error)]
pub enum ChannelTlsError {
    /// The guest left, or its channel broke.
    #[error("the channel ended in the TLS handshake")]
    Ended,
    /// The guest does not offer the protocol of a channel.
    #[error("the guest offers neither ALPN tessera/1 nor racs/1")]
    NoAlpn,
    /// The guest does something else than TLS 1.3 with a good raw public key.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The library took a client key that is none: a bug.
    #[error("TLS gave no client key")]
    NoKey,
    /// The channel's certificate has ended and could not be renewed.
    #[error(
        "the certificate of this host's channel key has ended; see the log for why it could not be renewed"
    )]
    CertificateExpired,
}

impl From<io::Error> for ChannelTlsError {
    /// rustls's own errors come wrapped in those of the stream.
    fn from(error: io::Error) -> Self {
        let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
        inner.map_or(Self::Ended, |tls: Box<rustls::Error>| Self::Tls(*tls))
    }
}

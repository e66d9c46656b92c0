//! Why a handshake ends in the agent.

use proto::agent::RefusalCode;
use proto::tls::TlsError;

/// What went wrong, by whose fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The server does not speak TLS.
    #[error("the server does not speak TLS: {0}")]
    Server(#[source] TlsError),
    /// The server went away before the handshake was over.
    #[error("the server closed the connection during the handshake")]
    ServerClosed,
    /// One side sent more than a handshake may have.
    #[error("handshake of more than {max} bytes from the {from}")]
    TooLong {
        /// Who sent it.
        from: &'static str,
        /// Most bytes in one direction.
        max: usize,
    },
    /// dom0 sent bytes that are not TLS records.
    #[error("dom0 sent malformed records")]
    Dom0Records(#[source] TlsError),
    /// dom0 says that the handshake used what it cannot have used.
    #[error("dom0 says the handshake used {consumed} bytes, which is no border of records")]
    Consumed {
        /// The number in `established`.
        consumed: u64,
    },
    /// The next explicit nonce is not the one after the client's Finished. Using it could repeat
    /// a nonce and give the key away.
    #[error("dom0's next explicit nonce does not follow the client's Finished")]
    Nonce,
}

impl HandshakeError {
    /// The code that the application is given.
    pub(crate) const fn code(&self) -> RefusalCode {
        match self {
            Self::Server(_) | Self::ServerClosed => RefusalCode::HandshakeFailed,
            Self::TooLong { .. } => RefusalCode::Limit,
            Self::Dom0Records(_) | Self::Consumed { .. } | Self::Nonce => RefusalCode::Protocol,
        }
    }
}

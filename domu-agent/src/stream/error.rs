//! Why a stream ends before its time.

use proto::agent::RefusalCode;
use proto::tls::{Alert, RecordError, TlsError};

/// What ended a stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The server has given up the connection.
    #[error("the server sent a {0}")]
    Alert(Alert),
    /// The TCP stream ended without close_notify: data may be missing.
    #[error("the server's data ends without close_notify, some may be missing")]
    Truncated,
    /// A record that is not what the server may send.
    #[error("record layer")]
    Record(#[source] RecordError),
    /// A key of TLS 1.2 has sealed as many records as it may, or the server has used its own so often. The
    /// server gets a close_notify.
    #[error(
        "a key of this connection has sealed as many records as it may, what was sent last may be missing; \
         make a new connection"
    )]
    KeyUsedUp,
    /// Bytes that are no TLS records.
    #[error("the server's data is not TLS")]
    NotTls(#[from] TlsError),
    /// The TCP connection broke.
    #[error("connection to the server")]
    Server(#[source] std::io::Error),
    /// The application's socket broke, or the application went away.
    #[error("connection to the application")]
    App(#[source] std::io::Error),
    /// dom0 has taken back the right to the card.
    #[error("dom0 ended the right to the card: {0}")]
    Revoked(RefusalCode),
}

impl From<RecordError> for StreamError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::LimitReached => Self::KeyUsedUp,
            error => Self::Record(error),
        }
    }
}

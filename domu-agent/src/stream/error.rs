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
    /// A record that is not what the server may send, or a key that is used up.
    #[error("record layer")]
    Record(#[from] RecordError),
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

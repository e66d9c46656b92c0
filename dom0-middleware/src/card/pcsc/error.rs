//! What an error of the library means for a worker.

use std::io;

use pcsc::Error;

use crate::card::transport::TransportError;

pub(super) fn transport_error(error: Error) -> TransportError {
    match error {
        Error::ResetCard => TransportError::Reset,
        Error::Timeout => TransportError::TimedOut,
        error if is_gone(error) => TransportError::Removed,
        _ => TransportError::Io(io::ErrorKind::Other),
    }
}

/// Whether card, reader or daemon is gone.
fn is_gone(error: Error) -> bool {
    is_without_card(error)
        || is_without_daemon(error)
        || matches!(error, Error::NotTransacted | Error::InvalidHandle)
}

/// Whether there is no card to connect to, and nothing wrong with that.
pub(super) fn is_without_card(error: Error) -> bool {
    matches!(
        error,
        Error::NoSmartcard
            | Error::RemovedCard
            | Error::UnknownReader
            | Error::ReaderUnavailable
            | Error::NoReadersAvailable
    )
}

/// Whether the daemon does not run, or is another one than before.
pub(super) fn is_without_daemon(error: Error) -> bool {
    matches!(
        error,
        Error::NoService
            | Error::ServiceStopped
            | Error::CommError
            | Error::InvalidHandle
            | Error::InternalError
    )
}

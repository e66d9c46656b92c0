//! What goes wrong between this client and xenstored.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::wire::ErrorName;

/// Why a call gave no answer.
#[derive(Debug, Error)]
pub enum XenstoreError {
    /// There is nobody to ask, or not for us.
    #[error("cannot connect to xenstored at {}: {source}", path.display())]
    Connect {
        /// The socket or device.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// xenstored said no.
    #[error("xenstored says {0}")]
    Refused(ErrorName),
    /// The connection has ended, for this call and all others.
    #[error(transparent)]
    Ended(#[from] Ending),
    /// The answer is not one to this question. The connection is as good as before.
    #[error("an answer of xenstored that is none: {0}")]
    Malformed(&'static str),
    /// It cannot be asked for: a path or value that no message can carry.
    #[error("not for xenstore: {0}")]
    Unaskable(&'static str),
}

impl XenstoreError {
    /// Whether xenstored said that there is no such node.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Refused(ErrorName::NoEntry))
    }
}

/// Why a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Ending {
    /// xenstored has closed it, or has ended.
    #[error("xenstored closed the connection")]
    Closed,
    /// It broke.
    #[error("connection to xenstored: {0}")]
    Io(io::ErrorKind),
    /// xenstored breaks the rules.
    #[error("xenstored breaks the protocol: {0}")]
    Breach(#[from] Breach),
    /// The program stops.
    #[error("the connection to xenstored was given up")]
    Stopped,
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// How xenstored breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Breach {
    /// A message of a type that nothing here is answered with.
    #[error("a message of type {0}")]
    Kind(u32),
    /// More bytes than a message has.
    #[error("a message that is too long")]
    TooLong,
    /// An answer to a request that was not made, or has its answer.
    #[error("an answer to no request")]
    Unasked,
    /// An answer to another kind of request.
    #[error("an answer to another request")]
    OtherKind,
}

//! What an application is told when the answer is no.

use std::borrow::Cow;
use std::fmt;

use proto::agent::RefusalCode;
use serde::{Deserialize, Serialize};

use crate::dom0::{Dom0Error, LinkError};
use crate::handshake::HandshakeError;

/// A code and one line: `{"error":{"code":…,"message":…}}`.
///
/// The codes are those of dom0's refusals ([`RefusalCode`]) and four of the agent's own:
/// `bad-request`, `connect-failed` (no TCP connection), `dom0-unavailable`, and `dom0-untrusted`
/// (what answers on the channel is not the host that is pinned).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AppError {
    /// The code.
    pub code: Cow<'static, str>,
    /// One line for people.
    pub message: String,
}

impl AppError {
    /// The request is not one that the agent can act on.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new("bad-request", message)
    }

    /// The server cannot be reached.
    pub(crate) fn connect_failed(message: impl Into<String>) -> Self {
        Self::new("connect-failed", message)
    }

    /// There is no connection to dom0, or it ended.
    pub(crate) fn dom0_unavailable(message: impl Into<String>) -> Self {
        Self::new("dom0-unavailable", message)
    }

    /// One of dom0's codes, from dom0 or in its manner.
    pub(crate) fn refused(code: RefusalCode, message: impl Into<String>) -> Self {
        Self::new(code.as_str(), message)
    }

    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

impl From<HandshakeError> for AppError {
    fn from(error: HandshakeError) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

impl From<LinkError> for AppError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Refused(refused) => Self::refused(refused.code, refused.message),
            LinkError::Tls(error) if error.is_distrust() => {
                Self::new("dom0-untrusted", error.to_string())
            }
            other => Self::dom0_unavailable(other.to_string()),
        }
    }
}

impl From<Dom0Error> for AppError {
    fn from(error: Dom0Error) -> Self {
        match error {
            Dom0Error::Link(error) => error.into(),
            Dom0Error::Revoked(code) => Self::refused(code, error.to_string()),
            Dom0Error::Malformed(_) | Dom0Error::UnknownType | Dom0Error::Flooded => {
                Self::refused(RefusalCode::Protocol, error.to_string())
            }
        }
    }
}

/// An error and its causes on one line.
pub(crate) struct Chain<'e>(pub(crate) &'e (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let causes = std::iter::successors(self.0.source(), |error| error.source());
        for cause in causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

//! What can be wrong with a message, by how much of the connection it ends.

use super::cbor::CborError;
use crate::id::SessionId;

/// Why a frame's body is not a message that the receiver can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The form is good but the `type` is not known. Concerns the named session, or nothing.
    #[error("unknown message type")]
    UnknownType {
        /// The session that the message names, if it names one.
        session: Option<SessionId>,
    },
    /// A known message for one session with a bad field. Concerns that session only.
    #[error("session {}: {error}", session.0)]
    InSession {
        /// The session.
        session: SessionId,
        /// The field and what is wrong with it.
        error: FieldError,
    },
    /// The connection must end.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// A breach that leaves no session to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Not one well-formed CBOR map within the limits.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A map without a text `type`, or a bad field in a message that belongs to no session.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl From<CborError> for MessageError {
    fn from(error: CborError) -> Self {
        Self::Protocol(error.into())
    }
}

impl From<FieldError> for MessageError {
    fn from(error: FieldError) -> Self {
        Self::Protocol(error.into())
    }
}

/// One field and what is wrong with it. Never holds the field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {problem}")]
pub struct FieldError {
    /// The field's key.
    pub field: &'static str,
    /// What is wrong.
    pub problem: FieldProblem,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// A required field is not there.
    #[error("missing")]
    Missing,
    /// The value is of another kind, or of a form that the field does not allow.
    #[error("not {expected}")]
    Not {
        /// What the field takes, with an article: `a host name`.
        expected: &'static str,
    },
    /// Too many bytes or too many elements.
    #[error("{got} long, at most {max} are allowed")]
    TooLong {
        /// Most bytes or elements.
        max: usize,
        /// Bytes or elements found.
        got: usize,
    },
}

//! What is missing when the answer is no.

use proto::agent::RefusalCode;

use super::caller::Caller;
use crate::app::error::AppError;
use crate::app::request::Mode;

/// Which part of a request no rule allows. Parts are looked at in this order, each only in the
/// rules that allow those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// No rule is for this caller.
    #[error("no [[allow]] is for {0}")]
    Caller(Caller),
    /// No rule of the caller has the mode.
    #[error("no [[allow]] for {caller} has mode \"{mode}\"")]
    Mode {
        /// Who asks.
        caller: Caller,
        /// What for.
        mode: Mode,
    },
    /// No rule with the mode has the destination.
    #[error("no [[allow]] for {caller} with mode \"{mode}\" has destination {destination}")]
    Destination {
        /// Who asks.
        caller: Caller,
        /// What for.
        mode: Mode,
        /// Where to.
        destination: String,
    },
    /// No rule with mode and destination has the identity.
    #[error(
        "no [[allow]] for {caller} with mode \"{mode}\" and destination {destination} has \
         identity {identity:?}"
    )]
    Identity {
        /// Who asks.
        caller: Caller,
        /// What for.
        mode: Mode,
        /// Where to.
        destination: String,
        /// As whom.
        identity: String,
    },
    /// No identity is named, and the rules do not leave exactly one.
    #[error("the request must name an identity; [[allow]] for {caller} has {allowed:?}")]
    Unnamed {
        /// Who asks.
        caller: Caller,
        /// The identities to choose from.
        allowed: Vec<String>,
    },
}

impl From<Denied> for AppError {
    fn from(denied: Denied) -> Self {
        Self::refused(RefusalCode::Policy, denied.to_string())
    }
}

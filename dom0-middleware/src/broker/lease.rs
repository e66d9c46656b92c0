//! A card that is somebody's own for raw APDUs: who has it, and why not somebody else.

use std::fmt;
use std::time::Instant;

use thiserror::Error;

use proto::id::DomainUuid;

use super::event::ConnId;
use crate::card::UseId;

/// One wish for a card of one's own, numbered by the shell, never twice in a run of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub u64);

/// Who wants a card, or has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A user of the RACS server, by the name in the certificate.
    RacsUser(String),
    /// A guest that speaks RACS on its channel.
    Guest {
        /// Its connection.
        conn: ConnId,
        /// The domain.
        domain: DomainUuid,
    },
}

impl Holder {
    /// Whether it is the guest of this connection.
    pub(super) fn is_guest(&self, of: ConnId) -> bool {
        matches!(self, Self::Guest { conn, .. } if *conn == of)
    }

    /// The guest, if it is one.
    pub(super) fn guest(&self) -> Option<DomainUuid> {
        match self {
            Self::RacsUser(_) => None,
            Self::Guest { domain, .. } => Some(*domain),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The name is the user's: it is shown so that it cannot look like anything else.
            Self::RacsUser(name) => write!(f, "RACS user {}", name.escape_debug()),
            Self::Guest { domain, .. } => write!(f, "guest {domain}"),
        }
    }
}

/// Why somebody does not get a card.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LeaseRefusal {
    /// No such SEID.
    #[error("no card source has this SEID")]
    Unknown,
    /// No card is there.
    #[error("the card is not there")]
    Absent,
    /// Somebody else has it; or it is bound to a domain and not in maintenance.
    #[error("the card is in use")]
    InUse,
    /// Its last holder has given it back, and it is on its way to rest.
    #[error("the card is coming to rest")]
    ComingToRest,
    /// It may not have it, or not any more.
    #[error("not permitted")]
    NotPermitted,
    /// It has the key of the HV, which is nobody's.
    #[error("the card has a key of the HV")]
    HvKeyCard,
    /// It did not come up.
    #[error("the card failed: {0}")]
    Failed(String),
    /// The audit cannot be written, so nothing is lent.
    #[error("the audit cannot be written")]
    NotRecorded,
    /// The service ends.
    #[error("the service ends")]
    Stopping,
}

/// A card in somebody's hand.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) id: LeaseId,
    pub(super) use_id: UseId,
    pub(super) holder: Holder,
    pub(super) since: Instant,
    /// Since when it is to come back.
    pub(super) recalled: Option<Instant>,
    /// It should have come back long ago.
    pub(super) stuck: bool,
    /// Since when the holder has no card any more; the card has still to come to rest.
    pub(super) ended: Option<Instant>,
}

//! What the machine wants done with cards, and what came of it.

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::id::Seid;
use proto::racs::FailureClass;
use thiserror::Error;

/// Something to be done now; its [`Outcome`] is awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Say which elements have a card: [`Outcome::List`].
    List,
    /// Power this element and hold it for the session: [`Outcome::Powered`]; or [`Outcome::Done`] for
    /// POWERON of one that the session holds and has not lost since.
    PowerOn(Seid),
    /// Take its power and let it go. Done as well if nobody holds it; [`RacsRefusal::InUse`] if
    /// another session does.
    Shutdown(Seid),
    /// Reset it; it is held.
    Reset {
        /// The element.
        seid: Seid,
        /// It keeps its power.
        warm: bool,
    },
    /// Send this APDU to it: [`Outcome::Answer`]. It is held, and the APDU was judged.
    Transmit {
        /// The element.
        seid: Seid,
        /// The APDU.
        command: CommandApdu,
    },
}

/// What came of an [`Order`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The elements that have a card, in the order in which they are to be listed; the machine
    /// leaves out what the user must not see.
    List(Vec<Seid>),
    /// The element has power and is held.
    Powered {
        /// Guests use this card's keys, when it is not lent: as long as it is held now,
        /// [`ForbiddenInstructions`](proto::racs::ForbiddenInstructions) do not pass. What the card
        /// is may change only after it was taken away again.
        bound: bool,
    },
    /// It is done.
    Done,
    /// The card's answer, whatever its status word.
    Answer(ResponseApdu),
    /// It could not be done.
    Refused(RacsRefusal),
}

/// Why something could not be done. Users see its text: nothing in it is another user's or a
/// guest's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RacsRefusal {
    /// No card is there: as if the element did not exist.
    #[error("invalid SEID")]
    Absent,
    /// The session has lost the element: recalled, or let go.
    #[error("not held by this session any more, POWERON is required")]
    NotHeld,
    /// Another session holds it, or guests use it.
    #[error("in use")]
    InUse,
    /// It has no power.
    #[error("powered off, POWERON is required")]
    PoweredOff,
    /// The card or its reader failed; how.
    #[error("{0}")]
    Hardware(String),
    /// This host failed; how.
    #[error("{0}")]
    System(String),
    /// The session has as many elements as it may.
    #[error("too many elements held by this session")]
    Limit,
}

impl RacsRefusal {
    /// The class of the status that says so.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Absent => FailureClass::Parameter,
            Self::NotHeld | Self::InUse | Self::PoweredOff => FailureClass::InUse,
            Self::Hardware(_) => FailureClass::Hardware,
            Self::System(_) | Self::Limit => FailureClass::System,
        }
    }

    /// Whether the session does not hold the element any more.
    pub(super) fn ends_hold(&self) -> bool {
        match self {
            Self::Absent | Self::NotHeld | Self::InUse | Self::PoweredOff => true,
            Self::Hardware(_) | Self::System(_) | Self::Limit => false,
        }
    }
}

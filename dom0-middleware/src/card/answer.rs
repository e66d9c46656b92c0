//! The complete answer to one command, and what may be concluded from it.

use proto::apdu::{ResponseApdu, StatusWord};
use proto::card::PinStatus;

use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};

/// A command's whole data and final status word, with the step it belongs to.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) step: CardStep,
    pub(super) response: ResponseApdu,
}

impl Answer {
    pub(super) fn sw(&self) -> StatusWord {
        self.response.sw
    }

    pub(super) fn data(&self) -> &[u8] {
        self.response.data()
    }

    pub(super) fn is_success(&self) -> bool {
        self.sw().is_success()
    }

    /// Whether the card says that it does not have this command (§13, point 4).
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.sw().0, 0x6D00 | 0x6E00 | 0x6B00 | 0x6A81 | 0x6A88)
    }

    /// Whether no application is selected any more, as after a reset. What the card has and has not
    /// cannot be concluded from that. Method functions that are switched off say the same (§3).
    pub(super) fn is_unselected(&self) -> bool {
        self.sw().0 == 0x6986
    }

    pub(super) fn refused(&self) -> CardFault {
        CardFault::Refused {
            step: self.step,
            sw: self.sw(),
        }
    }

    /// The data of a success; during a handshake, where a lost PIN ends the session.
    pub(super) fn success(&self) -> Result<&[u8], SessionError> {
        if self.is_success() {
            Ok(self.data())
        } else {
            Err(self.failure())
        }
    }

    /// What a status word other than success means during a handshake.
    pub(super) fn failure(&self) -> SessionError {
        match self.sw().pin_status() {
            Some(PinStatus::Blocked) => SessionError::PinBlocked,
            Some(_) => SessionError::PinRequired,
            None => self.refused().into(),
        }
    }
}

//! Why there is no signature.

use proto::card::PinStatus;
use proto::piv::driver::{PivFault, PivStep};
use thiserror::Error;

use crate::card::error::{CardError, SessionError};
use crate::card::fault::CardFault;

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignError {
    /// The PIN: the card cannot be used until that is put right.
    #[error(transparent)]
    Pin(CardError),
    /// Anything else.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl SignError {
    /// What it means for the session that wanted the signature.
    #[must_use]
    pub fn session(&self) -> SessionError {
        match self {
            Self::Pin(why) => SessionError::of_unusable_card(why),
            Self::Session(error) => error.clone(),
        }
    }
}

/// What came of the PIN.
impl From<CardError> for SignError {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Fault(fault) => Self::Session(fault.into()),
            pin => Self::Pin(pin),
        }
    }
}

impl From<PivFault> for SignError {
    fn from(fault: PivFault) -> Self {
        let refused = match fault {
            PivFault::PinRequired { .. } => Some(PinStatus::Required),
            PivFault::Refused {
                step: PivStep::Sign,
                sw,
            } => sw.pin_status(),
            _ => None,
        };
        match refused {
            Some(PinStatus::Blocked) => SessionError::PinBlocked.into(),
            Some(_) => SessionError::PinRequired.into(),
            None => CardError::from(fault).into(),
        }
    }
}

/// What a PIV card did, for the operator.
impl From<PivFault> for CardError {
    fn from(fault: PivFault) -> Self {
        match fault {
            PivFault::PinRejected { tries_left } => Self::PinRejected { tries_left },
            PivFault::LastPinTry => Self::LastPinTry,
            PivFault::PinBlocked => Self::PinBlocked,
            fault => CardFault::Piv(fault).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::apdu::StatusWord;
    use proto::piv::Slot;

    use super::*;

    #[test]
    fn what_is_wrong_with_the_pin_is_told_from_what_is_wrong_with_the_card() {
        let slot = Slot::Authentication;
        let sign = |sw| PivFault::Refused {
            step: PivStep::Sign,
            sw: StatusWord(sw),
        };
        for (fault, session) in [
            (PivFault::PinRequired { slot }, SessionError::PinRequired),
            (sign(0x63C2), SessionError::PinRequired),
            (sign(0x6983), SessionError::PinBlocked),
        ] {
            assert_eq!(SignError::from(fault), SignError::Session(session));
        }
        let tries_left = Some(2);
        for (fault, pin) in [
            (
                PivFault::PinRejected { tries_left },
                CardError::PinRejected { tries_left },
            ),
            (PivFault::LastPinTry, CardError::LastPinTry),
            (PivFault::PinBlocked, CardError::PinBlocked),
        ] {
            assert_eq!(SignError::from(fault), SignError::Pin(pin));
        }
        let sw = StatusWord(0x6D00);
        for fault in [
            sign(0x6A80),
            PivFault::WrongSignature { slot },
            PivFault::PinUncounted { sw },
        ] {
            let failed = SessionError::CardFailed(CardFault::Piv(fault.clone()));
            assert_eq!(SignError::from(fault), failed.into());
        }
    }
}

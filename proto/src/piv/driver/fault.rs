//! What a card did that no sound one does, and at which command.

use std::fmt;

use crate::apdu::StatusWord;
use crate::error::DecodeError;
use crate::piv::{Slot, TransferError};

/// Why a task ends without what was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PivFault {
    /// The card is of another kind.
    #[error("no PIV card: {sw} to SELECT")]
    NotPiv {
        /// What it said.
        sw: StatusWord,
    },
    /// Another application answers to the name of the one that was selected.
    #[error("SELECT: another application answers")]
    OtherApplication,
    /// The card did not accept the PIN.
    #[error(
        "the card did not accept the PIN, tries left: {}; correct the PIN before the next one",
        tries_left.map_or_else(|| "it does not say".to_owned(), |left| left.to_string())
    )]
    PinRejected {
        /// How many tries are left, if the card says so.
        tries_left: Option<u8>,
    },
    /// One try is left.
    #[error(
        "one PIN try is left, which is not spent: verify the right PIN once by hand \
         (opensc-tool and the like), or set a new one with the PUK (pkcs15-tool --unblock-pin \
         --auth-id 01)"
    )]
    LastPinTry,
    /// No try is left.
    #[error(
        "the PIN is blocked: set a new one with the PUK (pkcs15-tool --unblock-pin --auth-id 01)"
    )]
    PinBlocked,
    /// The card does not say how many tries are left.
    #[error("the card does not say how many PIN tries are left ({sw}), so none is made")]
    PinUncounted {
        /// What it said.
        sw: StatusWord,
    },
    /// The card wants the PIN that it has just accepted, or for a key that should want none.
    #[error("the card wants a PIN for the key in slot {slot} once more")]
    PinRequired {
        /// The slot.
        slot: Slot,
    },
    /// The card said no.
    #[error("{step}: refused with {sw}")]
    Refused {
        /// To what.
        step: PivStep,
        /// What it said.
        sw: StatusWord,
    },
    /// An answer that makes no sense.
    #[error("{step}: {source}")]
    Malformed {
        /// To what.
        step: PivStep,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// An answer that has no end, or came too early.
    #[error("{step}: {source}")]
    Transfer {
        /// To what.
        step: PivStep,
        /// What is wrong with it.
        source: TransferError,
    },
    /// More commands than any sound card needs.
    #[error("{step}: more than {max} commands")]
    TooManyCommands {
        /// At which command.
        step: PivStep,
        /// The bound.
        max: u32,
    },
    /// What the card gave is no signature by the key that is said to be there.
    #[error("slot {slot}: the signature is not that of the key in the slot's certificate")]
    WrongSignature {
        /// Whose key should have signed.
        slot: Slot,
    },
}

impl PivFault {
    /// Whether the PIN is what is wrong: it was not accepted, or not sent.
    #[must_use]
    pub fn is_about_pin(&self) -> bool {
        matches!(
            self,
            Self::PinRejected { .. }
                | Self::LastPinTry
                | Self::PinBlocked
                | Self::PinUncounted { .. }
        )
    }
}

/// The commands of a task, as an operator would name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PivStep {
    /// SELECT of the application.
    Select,
    /// GET DATA of the discovery object.
    Discovery,
    /// GET METADATA, what key is in a slot.
    Metadata,
    /// GET DATA of the cardholder unique identifier.
    Chuid,
    /// GET DATA of a slot's certificate.
    ReadCertificate,
    /// VERIFY without a PIN, by which a card shows its tries.
    PinStatus,
    /// VERIFY.
    VerifyPin,
    /// GENERAL AUTHENTICATE, a signature.
    Sign,
}

impl fmt::Display for PivStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Select => "SELECT",
            Self::Discovery => "GET DATA of the discovery object",
            Self::Metadata => "GET METADATA",
            Self::Chuid => "GET DATA of the CHUID",
            Self::ReadCertificate => "read certificate",
            Self::PinStatus => "VERIFY without PIN",
            Self::VerifyPin => "VERIFY",
            Self::Sign => "GENERAL AUTHENTICATE",
        })
    }
}

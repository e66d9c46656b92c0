//! Why there is no signature.

use std::fmt;

use proto::apdu::StatusWord;
use proto::error::DecodeError;
use proto::hv::{CertificateError, PublicKeyError};
use proto::piv::{Slot, TransferError};
use proto::token::SignatureAlgorithm;

use crate::key::PinRefused;
use crate::link::LinkError;
use crate::name::CardKeyName;
use crate::opening::KeySource;

/// Why a key in a card cannot be used, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {fault}")]
pub struct HvCardError {
    /// The key.
    pub name: CardKeyName,
    /// What is wrong.
    pub fault: KeyFault,
}

impl HvCardError {
    pub(crate) fn new(name: &CardKeyName, fault: KeyFault) -> Self {
        let name = name.clone();
        Self { name, fault }
    }

    /// Whether the card is not there now, and all is well when it comes.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(&self.fault, KeyFault::Link(link) if link.is_absence())
    }

    /// Whether the PIN is what is wrong: it was not accepted, or not sent.
    #[must_use]
    pub fn is_about_pin(&self) -> bool {
        matches!(
            self.fault,
            KeyFault::PinRejected { .. }
                | KeyFault::LastPinTry
                | KeyFault::PinBlocked
                | KeyFault::PinUncounted { .. }
                | KeyFault::PinRefused(_)
        )
    }
}

/// What is wrong with a key in a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The card, its reader, or the way to them.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The card is of another kind.
    #[error("no PIV card: {sw} to SELECT")]
    NotPiv {
        /// What it said.
        sw: StatusWord,
    },
    /// The slot's certificate is what tells that the key is the right one.
    #[error(
        "slot {slot} holds no certificate, by which the key is known; put the HV certificate there \
         (piv-tool --cert, or the vendor's tool)"
    )]
    NoCertificate {
        /// The slot.
        slot: Slot,
    },
    /// A certificate that cannot be read, or with a key that signs no tokens.
    #[error("the certificate in slot {slot} cannot be used: {source}")]
    Certificate {
        /// The slot.
        slot: Slot,
        /// Why.
        source: CertificateError,
    },
    /// A certificate object that cannot be read.
    #[error("the certificate in slot {slot} cannot be read: {source}")]
    CertificateObject {
        /// The slot.
        slot: Slot,
        /// Why.
        source: proto::piv::CertificateError,
    },
    /// Another key than that of the HV certificate.
    #[error(
        "the certificate in slot {slot} has another key ({kind}) than the HV certificate; is it the \
         right card and slot? It was given no PIN"
    )]
    OtherKey {
        /// The slot.
        slot: Slot,
        /// What kind of key it is.
        kind: String,
    },
    /// Nobody says what the key is.
    #[error(
        "slot {slot} holds no certificate and the card does not say what key is there; make one \
         there first, and name the file with its public part (--public-key)"
    )]
    NoPublicKey {
        /// The slot.
        slot: Slot,
    },
    /// A key that signs no tokens, as the card says.
    #[error("the key in slot {slot} cannot be used: {source}")]
    PublicKey {
        /// The slot.
        slot: Slot,
        /// Why.
        source: PublicKeyError,
    },
    /// Another key than was stated.
    #[error(
        "{by} has another key ({kind}) than {stated}; is it the right card, slot and file? It was \
         given no PIN. A certificate of a former key must leave the slot first (vendor's tool)"
    )]
    NotStated {
        /// Who says so.
        by: KeySource,
        /// What kind of key it is.
        kind: String,
        /// Who says otherwise.
        stated: KeySource,
    },
    /// A kind of key that no PIV card has.
    #[error("the key is {kind}; HV keys in PIV cards are RSA of 2048, 3072 or 4096 bits, or P-256")]
    UnfitKey {
        /// What kind of key the certificate has.
        kind: String,
    },
    /// The key makes other signatures.
    #[error("the key in slot {slot} does not sign {algorithm}")]
    Algorithm {
        /// The slot.
        slot: Slot,
        /// What was wanted.
        algorithm: SignatureAlgorithm,
    },
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
    /// There is no PIN, or it may not be sent.
    #[error(transparent)]
    PinRefused(#[from] PinRefused),
    /// The card said no.
    #[error("{step}: the card answered {sw}")]
    Refused {
        /// To what.
        step: CardStep,
        /// What it said.
        sw: StatusWord,
    },
    /// An answer that makes no sense.
    #[error("{step}: {source}")]
    Malformed {
        /// To what.
        step: CardStep,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// An answer that has no end, or came too early.
    #[error("{step}: {source}")]
    Transfer {
        /// To what.
        step: CardStep,
        /// What is wrong with it.
        source: TransferError,
    },
    /// What the card gave is no signature by the key that is said to be there.
    #[error(
        "what the card signed does not verify; the key in slot {slot} is not that of {by} \
         (correct that), or the card is broken"
    )]
    WrongSignature {
        /// The slot.
        slot: Slot,
        /// Who says what the key is.
        by: KeySource,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

/// A command, for errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardStep {
    /// SELECT.
    Select,
    /// GET DATA, the discovery object.
    Discovery,
    /// GET METADATA.
    Metadata,
    /// GET DATA, the slot's certificate.
    ReadCertificate,
    /// VERIFY without a PIN.
    PinStatus,
    /// VERIFY.
    VerifyPin,
    /// GENERAL AUTHENTICATE.
    Sign,
}

impl fmt::Display for CardStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Select => "selecting the PIV application",
            Self::Discovery => "reading which PIN the card has",
            Self::Metadata => "asking what the key is",
            Self::ReadCertificate => "reading the certificate",
            Self::PinStatus => "looking at the PIN",
            Self::VerifyPin => "verifying the PIN",
            Self::Sign => "signing",
        })
    }
}

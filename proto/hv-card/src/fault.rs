//! Why there is no signature.

use proto::hv::{CertificateError, PublicKeyError};
use proto::piv::Slot;
use proto::piv::driver::PivFault;
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
        match &self.fault {
            KeyFault::Card(fault) => fault.is_about_pin(),
            fault => matches!(fault, KeyFault::PinRefused(_)),
        }
    }
}

/// What is wrong with a key in a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The card, its reader, or the way to them.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// What the card did.
    #[error(transparent)]
    Card(#[from] PivFault),
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
    /// There is no PIN, or it may not be sent.
    #[error(transparent)]
    PinRefused(#[from] PinRefused),
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

//! Why a card cannot be used, why a handshake failed, and which code a guest learns.

use std::time::Duration;

use proto::agent::{Door, RefusalCode};
use proto::id::Seid;
use proto::piv::driver::PivFault;
use proto::tls::{Alert, FlightError};
use thiserror::Error;

use super::adopted::AdoptionError;
use super::fault::{CardFault, CardStep};
use super::fingerprint::Difference;
use super::pin::{PinLedgerError, PinSourceError};
use super::piv::UnusedKey;
use super::session_fault::{HandshakeFault, PolicyFault};
use super::transport::TransportError;
use super::trust::TrustError;
use crate::hex::hex;

/// Where other programs reach a card: one in a reader is connected exclusively, in use or not.
pub(crate) const WHERE_TOOLS_WORK: &str =
    "at another computer or while the service is stopped, which has the card for itself";

/// What helps where a PIV card has no PIN try left.
pub(crate) const SET_PIN_WITH_PUK: &str =
    "set a new PIN with the PUK (pkcs15-tool --unblock-pin --auth-id 01)";

/// Why a card cannot be used at all, for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CardError {
    /// It does not behave.
    #[error(transparent)]
    Fault(#[from] CardFault),
    /// It did not come up, or left.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Nobody has said that this card is the right one.
    #[error("not adopted: nobody has said that this card belongs here")]
    NotAdopted {
        /// Where it is.
        seid: Seid,
    },
    /// It is not the card that was adopted.
    #[error("not the card that was adopted ({difference}); it is not used")]
    UnknownCard {
        /// Where it is.
        seid: Seid,
        /// By what it was noticed.
        difference: Difference,
    },
    /// The record of adopted cards could not be written.
    #[error(transparent)]
    Adoption(#[from] AdoptionError),
    /// It asks for a PIN and none is configured.
    #[error("the card asks for a PIN and none is configured")]
    PinMissing,
    /// The PIN could not be read.
    #[error(transparent)]
    PinSource(#[from] PinSourceError),
    /// The record of attempts could not be read or written, so none is made.
    #[error(transparent)]
    PinLedger(#[from] PinLedgerError),
    /// The card said no to the PIN.
    #[error("the PIN was not accepted, {}", tries(*.tries_left))]
    PinRejected {
        /// Tries left, if the card said so.
        tries_left: Option<u8>,
    },
    /// This PIN failed before; nothing is sent until the PIN file changes.
    #[error(
        "this PIN was not accepted before; it is not tried again until the PIN file changes, or \
         card pin says so"
    )]
    PinSpent,
    /// One try is left, or none; the card does not say which, so nothing is sent.
    #[error("at most one PIN try is left, which is not spent")]
    LastPinTry,
    /// The PIN is blocked.
    #[error("the PIN is blocked")]
    PinBlocked,
    /// It was to be lent in the middle of another use.
    #[error("the card is in use")]
    InUse,
    /// It holds no identity that can be set.
    #[error("the card holds no usable identity")]
    NoIdentity,
    /// It holds keys, and none that can be used; this is the first of them.
    #[error("the card holds no usable identity: {0}")]
    UnusedKey(UnusedKey),
}

impl CardError {
    /// Whether only the operator can help, or another card.
    #[must_use]
    pub fn awaits_adoption(&self) -> bool {
        matches!(self, Self::NotAdopted { .. } | Self::UnknownCard { .. })
    }

    /// What the operator should do about a card of this door.
    #[must_use]
    pub fn next_step(&self, seid: &Seid, door: Door) -> String {
        match self {
            Self::NotAdopted { .. } => {
                format!("if it belongs there: dom0-middleware card adopt {seid} --pin-file FILE")
            }
            Self::UnknownCard { .. } => format!(
                "put the right card back; if this one belongs there from now on: dom0-middleware \
                 card adopt {seid}"
            ),
            Self::PinMissing => format!(
                "name the file with its PIN: as pin_file of its [[card]] in the configuration, or \
                 dom0-middleware card adopt {seid} --pin-file FILE"
            ),
            Self::PinSource(_) => {
                "put that right; the file is looked at again by itself".to_owned()
            }
            Self::PinRejected { .. } | Self::PinSpent => format!(
                "correct the PIN file, which is then tried by itself; if it is right, \
                 dom0-middleware card pin {seid} --pin-file FILE"
            ),
            Self::LastPinTry => format!(
                "verify the right PIN with a tool of the card, which gives it its tries back, \
                 {WHERE_TOOLS_WORK}"
            ),
            Self::NoIdentity => {
                "put an identity on it; see whether its profile is right".to_owned()
            }
            Self::UnusedKey(UnusedKey { slot, .. }) => format!(
                "put another certificate into slot {slot}, with piv-tool --cert or the vendor's tool; \
                 then pull the card and put it in again"
            ),
            Self::PinBlocked => {
                let with = match door {
                    Door::Piv => SET_PIN_WITH_PUK,
                    Door::EapTls => "unblock the PIN with the operator PIN of the card",
                };
                format!(
                    "{with}, {WHERE_TOOLS_WORK}; then dom0-middleware card pin {seid} --pin-file FILE"
                )
            }
            Self::PinLedger(_) | Self::Adoption(_) => {
                "make that file readable and writable for the service".to_owned()
            }
            Self::InUse => "wait for the end of that use".to_owned(),
            Self::Fault(CardFault::Piv(PivFault::PinUncounted { .. })) => {
                "see whether a setting or newer firmware has the card show its tries to a VERIFY \
                 without PIN; else use another card"
                    .to_owned()
            }
            Self::Fault(_) | Self::Transport(_) => {
                "it is tried again by itself, after 30 s at most; if it stays so, try another \
                 reader, and see whether the profile is that of the card"
                    .to_owned()
            }
        }
    }

    /// Whether the card is well but for its PIN.
    #[must_use]
    pub fn is_about_pin(&self) -> bool {
        let is_pin = matches!(
            self,
            Self::LastPinTry
                | Self::PinBlocked
                | Self::PinLedger(_)
                | Self::Fault(CardFault::Piv(PivFault::PinUncounted { .. }))
        );
        is_pin || self.awaits_pin()
    }

    /// Whether a PIN the operator changes would help.
    #[must_use]
    pub fn awaits_pin(&self) -> bool {
        matches!(
            self,
            Self::PinMissing | Self::PinSource(_) | Self::PinRejected { .. } | Self::PinSpent
        )
    }
}

/// Why one handshake ended without keys.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SessionError {
    /// The server is not who it must be.
    #[error("server certificate: {0}")]
    PeerUntrusted(#[from] TrustError),
    /// Server and card could not agree, or one of them broke the protocol.
    #[error(transparent)]
    HandshakeFailed(#[from] HandshakeFault),
    /// The card misbehaved.
    #[error("card: {0}")]
    CardFailed(#[from] CardFault),
    /// No card is there, or it is not usable.
    #[error("no usable card")]
    NoCard,
    /// The card left during the handshake.
    #[error("the card was removed during the handshake")]
    CardRemoved,
    /// The card presented another certificate than the identity's.
    #[error("the card presented another certificate than the identity's: sha256 {}", hex(.got))]
    CardSwapped {
        /// SHA-256 of what it presented.
        got: [u8; 32],
    },
    /// The card wants its PIN again, or the PIN is not known.
    #[error("the card asks for its PIN")]
    PinRequired,
    /// The card's PIN is blocked, or close to it.
    #[error("the card's PIN is blocked")]
    PinBlocked,
    /// The handshake is not allowed, or the card cannot carry what was asked for.
    #[error(transparent)]
    Policy(#[from] PolicyFault),
    /// More bytes than a handshake may have.
    #[error("more than {max} handshake bytes")]
    TooManyBytes {
        /// The limit.
        max: usize,
    },
    /// The handshake held the card for too long.
    #[error("not finished within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// The broker gave it up.
    #[error("cancelled")]
    Cancelled,
    /// The service is ending.
    #[error("the service is ending")]
    Stopped,
    /// The broker started a second use before the first was over.
    #[error("the card is in use")]
    Busy,
    /// The broker asked for a handshake of a card that only signs, or the other way round.
    #[error("the card takes no such part in a handshake")]
    WrongDoor,
    /// A mistake of this service, or something the machine should give and does not.
    #[error("internal: {reason}")]
    Internal {
        /// What it is.
        reason: String,
    },
}

impl SessionError {
    /// The one word a guest learns of it.
    #[must_use]
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::PeerUntrusted(_) => RefusalCode::PeerUntrusted,
            Self::HandshakeFailed(_) => RefusalCode::HandshakeFailed,
            Self::CardFailed(_) | Self::CardSwapped { .. } => RefusalCode::CardFailed,
            Self::NoCard => RefusalCode::NoCard,
            Self::CardRemoved => RefusalCode::CardRemoved,
            Self::PinRequired => RefusalCode::PinRequired,
            Self::PinBlocked => RefusalCode::PinBlocked,
            Self::Policy(_) => RefusalCode::Policy,
            Self::TooManyBytes { .. } => RefusalCode::Limit,
            Self::Timeout { .. } | Self::Cancelled => RefusalCode::Timeout,
            Self::Stopped | Self::Busy | Self::WrongDoor | Self::Internal { .. } => {
                RefusalCode::Internal
            }
        }
    }

    /// What a card that cannot be used means for a handshake that wants it.
    #[must_use]
    pub fn of_unusable_card(why: &CardError) -> Self {
        match why {
            CardError::PinBlocked | CardError::LastPinTry => Self::PinBlocked,
            _ if why.awaits_pin() => Self::PinRequired,
            CardError::PinLedger(_) => Self::PinRequired,
            CardError::Transport(TransportError::Removed) => Self::CardRemoved,
            CardError::Fault(fault) => Self::CardFailed(fault.clone()),
            _ => Self::NoCard,
        }
    }

    /// What a transport failure during `step` of a handshake means.
    #[must_use]
    pub fn of_transport(step: CardStep, source: TransportError) -> Self {
        match source {
            TransportError::Removed => Self::CardRemoved,
            source => Self::CardFailed(CardFault::Transport { step, source }),
        }
    }

    /// Whether the card may be in a state that Reset-State and Set-Identity do not mend: it then
    /// gets a cold reset and is opened again.
    #[must_use]
    pub fn needs_recovery(&self) -> bool {
        matches!(
            self,
            Self::CardFailed(_)
                | Self::CardRemoved
                | Self::CardSwapped { .. }
                | Self::PinRequired
                | Self::PinBlocked
        )
    }
}

/// The alert a fault carries, when the server sent one.
#[must_use]
pub fn server_alert(error: &SessionError) -> Option<&Alert> {
    match error {
        SessionError::HandshakeFailed(HandshakeFault::ServerFlight(FlightError::Alert(alert))) => {
            Some(alert)
        }
        _ => None,
    }
}

fn tries(left: Option<u8>) -> String {
    match left {
        Some(1) => "1 try left".to_owned(),
        Some(n) => format!("{n} tries left"),
        None => "the card does not say how many tries are left".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proto::apdu::StatusWord;

    use super::*;

    #[test]
    fn what_helps_a_pin_is_said_in_the_words_of_the_card() {
        let next = |why: &CardError, door| why.next_step(&"se-00".parse().expect("a SEID"), door);
        let blocked = next(&CardError::PinBlocked, Door::Piv);
        for word in ["PUK", "service is stopped", "card pin se-00"] {
            assert!(blocked.contains(word), "{word}: {blocked}");
        }
        assert!(!blocked.contains("operator PIN"), "{blocked}");
        let blocked = next(&CardError::PinBlocked, Door::EapTls);
        assert!(
            blocked.contains("operator PIN") && !blocked.contains("PUK"),
            "{blocked}"
        );
        for door in [Door::Piv, Door::EapTls] {
            let last = next(&CardError::LastPinTry, door);
            assert!(last.contains("service is stopped"), "{last}");
        }
        let sw = StatusWord(0x6D00);
        let uncounted = CardError::from(CardFault::Piv(PivFault::PinUncounted { sw }));
        assert!(uncounted.is_about_pin() && !uncounted.awaits_pin());
        let uncounted = next(&uncounted, Door::Piv);
        assert!(!uncounted.contains("reader"), "{uncounted}");
        assert!(uncounted.contains("VERIFY without PIN"), "{uncounted}");
    }
}

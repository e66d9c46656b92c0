//! What the broker and the engine of one handshake say to each other.
//!
//! At [`Door::Piv`](crate::card::Door::Piv) the service makes the handshake itself. An engine needs
//! no card until it wants a signature, and none at all when it resumes a session.

use std::fmt;

use proto::id::{DomainUuid, Seid};
use rustls::SignatureScheme;

use crate::card::{CardSession, SessionError, SignatureSlot};
use crate::engine::EngineRequest;

/// An order to the engine of a session.
pub enum EngineCommand {
    /// Begin. Answered by [`EngineReport`]s until one of them is the last.
    Begin(Box<EngineRequest>),
    /// Whole TLS records of the server.
    ServerRecords(Vec<u8>),
    /// A whole NewSessionTicket message, after the handshake.
    Ticket(Vec<u8>),
    /// The session is over: whatever the engine still holds of it is dropped.
    Forget,
}

/// What an engine has to say. After `Established` and `Failed` it says nothing more.
#[derive(Debug)]
pub enum EngineReport {
    /// Whole TLS records for the server.
    ClientRecords(Vec<u8>),
    /// The card must sign. One at a time.
    WantsSignature(SignWish),
    /// The handshake succeeded and its keys are here.
    Established(Box<CardSession>),
    /// The handshake failed.
    Failed {
        /// Why.
        error: SessionError,
        /// Alert records that the guest must still send to the server.
        alert: Option<Vec<u8>>,
    },
}

/// What is to be signed, and how.
#[derive(Debug)]
pub struct SignWish {
    /// Hash, and padding where the key is RSA.
    pub scheme: SignatureScheme,
    /// The message; not its hash.
    pub message: Vec<u8>,
    /// Where the card's worker puts the signature. Whoever drops it has the engine fail.
    pub slot: SignatureSlot,
}

/// Sessions that must not be resumed any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresumable {
    /// Those of a domain.
    Domain(DomainUuid),
    /// Those made with a card.
    Card(Seid),
}

/// Without what is secret, or long.
impl fmt::Debug for EngineCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(request) => f.debug_tuple("Begin").field(&request.server_name).finish(),
            Self::ServerRecords(data) => f.debug_tuple("ServerRecords").field(&data.len()).finish(),
            Self::Ticket(_) => f.write_str("Ticket"),
            Self::Forget => f.write_str("Forget"),
        }
    }
}

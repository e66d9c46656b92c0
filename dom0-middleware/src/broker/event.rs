//! What the broker is told.

use std::fmt;
use std::sync::Arc;

use proto::agent::{AgentMessage, FrameError, Hello, MessageError};
use proto::id::{DomId, DomainUuid, Seid, SessionId};
use proto::racs::TokenLineError;

use super::engine::EngineReport;
use super::lease::{Holder, LeaseId};
use super::racs_guests::RacsEnd;
use crate::card::{Trust, WorkerReport};
use crate::mapping::{Binding, BindingId, DomainFact, Reason, ShownToken};
use crate::time::UnixTime;

/// One connection of a guest, numbered by the shell, never twice in a run of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One question who is behind a domid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// The other end of a channel, as the channel itself proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its domid.
    pub domid: DomId,
    /// The domain that had this domid when the channel was made.
    pub made_for: DomainUuid,
    /// Whether it must show a token.
    pub token: TokenRule,
}

/// Whether a guest must show a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRule {
    /// It must.
    Required,
    /// The channel is for development: no TLS, no token.
    SwitchedOff,
}

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// A guest connected.
    Connected {
        /// The new connection.
        conn: ConnId,
        /// Who is there.
        peer: Peer,
    },
    /// A guest connected, and for whom its channel is made cannot be told.
    Unidentified {
        /// The new connection.
        conn: ConnId,
        /// The domid that the channel proves.
        domid: DomId,
        /// Why not.
        reason: Reason,
    },
    /// A domain ended, or another one has its domid now.
    DomainEnded {
        /// The domid it had.
        domid: DomId,
        /// The domain.
        domain: DomainUuid,
        /// Who has that domid now.
        successor: Option<DomainUuid>,
    },
    /// A `hello` came; its token was looked at already.
    Hello {
        /// From where.
        conn: ConnId,
        /// The message.
        hello: Hello,
        /// What it shows.
        token: ShownToken,
    },
    /// A guest whose channel speaks RACS has said its first line; its token was looked at already.
    RacsHello {
        /// From where.
        conn: ConnId,
        /// What it shows.
        token: ShownToken,
    },
    /// A guest that was let in by [`super::Action::AdmitRacs`] does not speak RACS any more.
    RacsEnded {
        /// Which connection; it has ended, or is of no more use.
        conn: ConnId,
        /// How.
        end: Box<RacsEnd>,
    },
    /// Another message came. A `hello` that comes this way shows no token.
    Received {
        /// From where.
        conn: ConnId,
        /// The message.
        message: AgentMessage,
    },
    /// Something came that is no message.
    Garbled {
        /// From where.
        conn: ConnId,
        /// What is wrong with it.
        error: BadInput,
    },
    /// A connection ended, or is of no more use.
    Disconnected {
        /// Which one.
        conn: ConnId,
    },
    /// Who is behind a domid was read.
    DomainRead {
        /// The question.
        read: ReadId,
        /// The answer.
        domain: DomainFact,
    },
    /// A worker has something to say.
    Card {
        /// Its card.
        seid: Seid,
        /// What.
        report: WorkerReport,
    },
    /// The engine of a session has something to say.
    Engine {
        /// The connection of the session.
        conn: ConnId,
        /// The session.
        session: SessionId,
        /// What.
        report: EngineReport,
    },
    /// The record of a session could not be written, so its keys did not leave.
    AuditFailed {
        /// The connection it was meant for.
        conn: ConnId,
        /// The session.
        session: SessionId,
    },
    /// Somebody wants a card for raw APDUs. Answered by [`super::Action::Lend`] or
    /// [`super::Action::RefuseLease`].
    LeaseWanted {
        /// The wish.
        lease: LeaseId,
        /// The card.
        seid: Seid,
        /// Who wants it.
        holder: Holder,
    },
    /// What was to be lent was not, so that its worker never heard of it.
    LeaseEnded {
        /// The wish.
        lease: LeaseId,
    },
    /// The operator has put a card into maintenance, or has ended that.
    MaintenanceSet {
        /// The card.
        seid: Seid,
        /// Whether it is in maintenance from now on.
        on: bool,
    },
    /// A binding was made; [`Table::check`](crate::mapping::Table::check) had nothing against it.
    Bound {
        /// The binding.
        binding: Binding,
        /// Whom it believes.
        trust: Arc<Trust>,
    },
    /// A token was revoked.
    TokenRevoked {
        /// Its number.
        cti: [u8; 16],
    },
    /// Tokens of a domain do not count any more if they were issued before this.
    TokensFrom {
        /// The domain.
        domain: DomainUuid,
        /// The first moment that counts.
        from: UnixTime,
    },
    /// A binding was taken away.
    Unbound {
        /// Which one.
        binding: BindingId,
    },
    /// The operator ends a session.
    Kill {
        /// The connection it was asked for on.
        conn: ConnId,
        /// The session.
        session: SessionId,
    },
    /// The service ends: nothing new, and what runs is given up.
    Stopping,
}

/// Bytes from a guest that are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadInput {
    /// Not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Longer than the limit in force.
    #[error("frame of {got} bytes, at most {max} are allowed")]
    TooLong {
        /// The limit in force.
        max: usize,
        /// Its length in bytes.
        got: usize,
    },
    /// Not a message that can be acted on.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Not the first line of a channel that speaks RACS.
    #[error(transparent)]
    TokenLine(#[from] TokenLineError),
    /// Not the TLS handshake of a channel, and why.
    #[error("channel: {0}")]
    Channel(String),
}

//! What the broker wants done.

use std::sync::Arc;

use proto::agent::{Dom0Message, EstablishedMessage};
use proto::id::{DomId, Seid, SessionId};

use super::engine::{EngineCommand, Unresumable};
use super::event::{ConnId, ReadId};
use super::lease::{LeaseId, LeaseRefusal};
use super::racs_guests::RacsGuest;
use crate::audit::AuditEvent;
use crate::card::{UseId, WorkerCommand};
use crate::mapping::VerifiedToken;

/// Something to do outside. Actions are done in the order given.
#[derive(Debug)]
pub enum Action {
    /// Send a message to a guest.
    Send {
        /// To whom.
        conn: ConnId,
        /// What.
        message: Dom0Message,
    },
    /// End a connection once everything sent before is out. No [`super::Event::Disconnected`] is
    /// needed for it.
    Close {
        /// Which one.
        conn: ConnId,
    },
    /// The right to keys that were delivered has ended: those that the guest has not taken from us
    /// must not leave any more. Comes before what tells the guest.
    WithdrawKeys {
        /// Whose.
        conn: ConnId,
    },
    /// Find out who is behind a domid and answer with [`super::Event::DomainRead`].
    ReadDomain {
        /// The question.
        read: ReadId,
        /// Whose domid.
        domid: DomId,
    },
    /// Order something from a worker.
    Card {
        /// Whose.
        seid: Seid,
        /// What.
        command: WorkerCommand,
    },
    /// Record that a card is lent and then, only if that succeeded, have its worker lend it;
    /// otherwise refuse it and say [`super::Event::LeaseEnded`].
    Lend {
        /// The wish.
        lease: LeaseId,
        /// The card.
        seid: Seid,
        /// What the worker calls this use.
        use_id: UseId,
        /// Whether a domain is bound to it.
        bound: bool,
        /// The record.
        record: AuditEvent,
    },
    /// Tell who wanted a card that it is not to be had.
    RefuseLease {
        /// The wish.
        lease: LeaseId,
        /// Why.
        why: LeaseRefusal,
    },
    /// Order something from the engine of a session.
    Engine {
        /// The connection of the session.
        conn: ConnId,
        /// The session.
        session: SessionId,
        /// What.
        command: EngineCommand,
    },
    /// Let a guest speak RACS to its own cards: it has shown who it is. Answered by
    /// [`super::Event::RacsEnded`] when that is over.
    AdmitRacs {
        /// Where.
        conn: ConnId,
        /// Who, and to which cards.
        guest: RacsGuest,
    },
    /// Drop what could be resumed.
    ForgetResumption(Unresumable),
    /// Remember the token of a guest that was let in.
    TokenSeen {
        /// The guest.
        domid: DomId,
        /// The token, which names the domain.
        token: Arc<VerifiedToken>,
    },
    /// Record something.
    Audit(AuditEvent),
    /// Record a session and then, only if that succeeded, give its keys to the guest; otherwise
    /// say [`super::Event::AuditFailed`].
    Deliver {
        /// To whom.
        conn: ConnId,
        /// The record.
        record: AuditEvent,
        /// The keys.
        message: Box<EstablishedMessage>,
    },
}

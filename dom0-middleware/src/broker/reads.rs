//! Judgements that wait for the one fact that must be read fresh: who is behind a domid.

use std::collections::BTreeMap;
use std::time::Instant;

use proto::id::Seid;

use super::event::{ConnId, ReadId};
use super::lease::LeaseId;
use super::session::SessionKey;
use crate::card::{CardSession, UseId};
use crate::mapping::ShownToken;

/// What is to be judged once the domain is known.
#[derive(Debug)]
pub(super) enum Question {
    /// May this guest speak to the service, with what it shows?
    Hello(ShownToken),
    /// May this guest speak RACS, with what it shows?
    RacsHello(ShownToken),
    /// May it have the card that it wants for raw APDUs?
    Lease(LeaseId),
    /// What may it use?
    Identities,
    /// May this session have a card?
    Open(SessionKey),
    /// It is its turn: may it still?
    Start { seid: Seid, use_id: UseId },
    /// The keys are here: may it have them?
    Release {
        key: SessionKey,
        session: Box<CardSession>,
    },
}

/// A judgement that waits.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) conn: ConnId,
    pub(super) question: Question,
    until: Instant,
}

/// All judgements that wait.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pending: BTreeMap<ReadId, Pending>,
    next: u64,
}

impl Reads {
    /// Puts a judgement aside; names what must be read for it by `until`.
    pub(super) fn add(&mut self, conn: ConnId, question: Question, until: Instant) -> ReadId {
        let read = ReadId(self.next);
        self.next += 1;
        let pending = Pending {
            conn,
            question,
            until,
        };
        self.pending.insert(read, pending);
        read
    }

    /// Takes a judgement up again.
    pub(super) fn take(&mut self, read: ReadId) -> Option<Pending> {
        self.pending.remove(&read)
    }

    /// Forgets what was asked for a connection that is no more.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.pending.retain(|_, pending| pending.conn != conn);
    }

    /// How many judgements wait that belong to no session of a connection.
    pub(super) fn without_session(&self, conn: ConnId) -> usize {
        let belongs = |pending: &&Pending| {
            pending.conn == conn
                && matches!(pending.question, Question::Hello(_) | Question::Identities)
        };
        self.pending.values().filter(belongs).count()
    }

    /// Judgements whose domain was not read in time.
    pub(super) fn overdue(&self, now: Instant) -> Vec<ReadId> {
        let is_late = |(_, pending): &(&ReadId, &Pending)| pending.until <= now;
        self.pending
            .iter()
            .filter(is_late)
            .map(|(read, _)| *read)
            .collect()
    }

    /// When [`Self::overdue`] must be asked.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.pending.values().map(|pending| pending.until).min()
    }
}

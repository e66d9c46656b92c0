//! Where threads get cards for themselves.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use proto::id::Seid;

use super::inbox::{Inbox, Told};
use super::releases::Releases;
use crate::broker::{CardEntry, Holder, LeaseRefusal};
use crate::card::LentCard;

/// Gives out cards for raw APDUs, to threads that may wait.
///
/// Whether somebody may have a card at all is for whoever asks here to know; this only says whether
/// the card is free.
#[derive(Debug, Clone)]
pub struct CardDesk {
    inbox: Inbox,
    releases: Releases,
}

impl CardDesk {
    /// Whoever may have made a card free notes it in `releases`.
    pub(super) fn new(inbox: Inbox, releases: Releases) -> Self {
        Self { inbox, releases }
    }

    /// How much has happened that may have made a card free.
    pub(super) fn releases(&self) -> u64 {
        self.releases.count()
    }

    /// Waits until more has happened than `seen`, or until `deadline`.
    pub(super) fn await_release(&self, seen: u64, deadline: Instant) {
        self.releases.wait(seen, deadline);
    }

    /// All cards that can be had at all, by SEID; none when the service ends.
    ///
    /// # Panics
    /// On a thread that runs asynchronous tasks: this one waits.
    #[must_use]
    pub fn list(&self) -> Vec<CardEntry> {
        let (answer, outlet) = sync_channel(1);
        self.inbox.tell_and_wait(Told::LendableWanted { answer });
        outlet.recv().unwrap_or_default()
    }

    /// A card for this holder alone, just reset. It is given back by dropping it.
    ///
    /// # Errors
    /// [`LeaseRefusal`] when it is not to be had now.
    ///
    /// # Panics
    /// On a thread that runs asynchronous tasks: this one waits.
    pub fn acquire(&self, seid: &Seid, holder: Holder) -> Result<LentCard, LeaseRefusal> {
        let (answer, outlet) = sync_channel(1);
        self.inbox.tell_and_wait(Told::LeaseWanted(LeaseRequest {
            seid: seid.clone(),
            holder,
            answer,
        }));
        outlet.recv().unwrap_or(Err(LeaseRefusal::Stopping))
    }
}

/// A wish for a card, and the way back.
#[derive(Debug)]
pub(super) struct LeaseRequest {
    pub(super) seid: Seid,
    pub(super) holder: Holder,
    pub(super) answer: LeaseAnswer,
}

/// Takes one answer, without waiting.
pub(super) type LeaseAnswer = SyncSender<Result<LentCard, LeaseRefusal>>;

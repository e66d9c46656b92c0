//! Where threads get cards for themselves.

use std::sync::mpsc::{SyncSender, sync_channel};

use proto::id::Seid;

use super::inbox::{Inbox, Told};
use crate::broker::{CardEntry, Holder, LeaseRefusal};
use crate::card::LentCard;

/// Gives out cards for raw APDUs, to threads that may wait.
///
/// Whether somebody may have a card at all is for whoever asks here to know; this only says whether
/// the card is free.
#[derive(Debug, Clone)]
pub struct CardDesk(Inbox);

impl CardDesk {
    pub(super) fn new(inbox: Inbox) -> Self {
        Self(inbox)
    }

    /// All cards that can be had at all, by SEID; none when the service ends.
    ///
    /// # Panics
    /// On a thread that runs asynchronous tasks: this one waits.
    #[must_use]
    pub fn list(&self) -> Vec<CardEntry> {
        let (answer, outlet) = sync_channel(1);
        self.0.tell_and_wait(Told::LendableWanted { answer });
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
        self.0.tell_and_wait(Told::LeaseWanted(LeaseRequest {
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

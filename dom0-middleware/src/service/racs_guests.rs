//! Guests that want to speak RACS, from their first line to the broker's word.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::id::Seid;
use tokio::sync::oneshot;

use super::card_desk::CardDesk;
use super::racs::DeskGrid;
use crate::broker::{ConnId, Holder, RacsGuest};
use crate::racs::guest::Visit;
use crate::racs::session::ElementRights;

/// What they are let in with, and who waits for it.
pub(super) struct RacsGuests {
    grid: DeskGrid,
    idle_lock: Duration,
    waiting: BTreeMap<ConnId, oneshot::Sender<RacsAdmitted>>,
}

/// A guest that was let in.
pub(super) struct RacsAdmitted {
    pub(super) guest: RacsGuest,
    pub(super) visit: Visit<DeskGrid>,
}

impl std::fmt::Debug for RacsAdmitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RacsAdmitted")
            .field("guest", &self.guest)
            .finish_non_exhaustive()
    }
}

impl RacsGuests {
    /// Their cards are those of the desk; one that nothing is done with comes back after `idle_lock`.
    pub(super) fn new(desk: CardDesk, idle_lock: Duration) -> Self {
        Self {
            grid: DeskGrid::new(desk),
            idle_lock,
            waiting: BTreeMap::new(),
        }
    }

    /// The broker is about to judge.
    pub(super) fn await_judgement(&mut self, conn: ConnId, admit: oneshot::Sender<RacsAdmitted>) {
        self.waiting.insert(conn, admit);
    }

    /// It has, and lets the guest in. `is_raw` says whether the operator has given the keys of a card
    /// free for raw APDUs.
    pub(super) fn admit(&mut self, conn: ConnId, guest: RacsGuest, is_raw: impl Fn(&Seid) -> bool) {
        let Some(admit) = self.waiting.remove(&conn) else {
            return;
        };
        let rights = guest.cards.iter().map(|(seid, list)| {
            let rights = ElementRights {
                inventory: true,
                power: true,
                apdu: true,
                allow_list: Some(list.clone()),
                raw_key_use: is_raw(seid),
            };
            (seid.clone(), rights)
        });
        let holder = Holder::Guest {
            conn,
            domain: guest.domain,
        };
        let visit = Visit {
            rights: rights.collect(),
            grid: self.grid.for_guest(holder),
            name: guest.name.clone(),
            idle_lock: self.idle_lock,
        };
        // It may have left in the meantime, which is told another way.
        let _ = admit.send(RacsAdmitted { guest, visit });
    }

    /// The connection is no more.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.remove(&conn);
    }
}

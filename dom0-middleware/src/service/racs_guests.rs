//! Guests that want to speak RACS, from their first line to the broker's word.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proto::id::Seid;
use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tracing::warn;

use super::actor::Actor;
use super::card_desk::CardDesk;
use super::error::ServiceError;
use super::inbox::{Inbox, Outlet, Told};
use super::racs::DeskGrid;
use super::racs_farewell::Farewell;
use crate::broker::{ConnId, Event, Holder, RacsGuest};
use crate::racs::guest::Visit;
use crate::racs::session::ElementRights;

/// What they are let in with, and who waits for it.
pub(super) struct RacsGuests {
    inbox: Inbox,
    grid: DeskGrid,
    idle_lock: Duration,
    waiting: BTreeMap<ConnId, oneshot::Sender<RacsAdmitted>>,
    /// Let in, and not known to have gone.
    visiting: BTreeSet<ConnId>,
}

/// A guest that was let in.
pub(super) struct RacsAdmitted {
    pub(super) visit: Visit<DeskGrid>,
    pub(super) farewell: Farewell,
}

impl std::fmt::Debug for RacsAdmitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RacsAdmitted")
            .field("farewell", &self.farewell)
            .finish_non_exhaustive()
    }
}

impl RacsGuests {
    /// Their cards are those of the desk; one that nothing is done with comes back after `idle_lock`.
    pub(super) fn new(inbox: Inbox, desk: CardDesk, idle_lock: Duration) -> Self {
        Self {
            inbox,
            grid: DeskGrid::new(desk),
            idle_lock,
            waiting: BTreeMap::new(),
            visiting: BTreeSet::new(),
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
                allow_list: Some(list.clone()),
                raw_key_use: is_raw(seid),
                ..ElementRights::all()
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
        self.visiting.insert(conn);
        let farewell = Farewell::new(self.inbox.clone(), conn, guest);
        // If it has left in the meantime, the farewell is told by being dropped here.
        let _ = admit.send(RacsAdmitted { visit, farewell });
    }

    /// The connection is no more.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.remove(&conn);
    }

    /// A guest that was let in has gone.
    pub(super) fn gone(&mut self, conn: ConnId) {
        self.visiting.remove(&conn);
    }
}

impl Actor {
    /// The service ends and the guests know it: waits a little until they have gone, so that this is on
    /// record. Nothing else that is told is taken in any more.
    pub(super) async fn see_racs_guests_out(
        &mut self,
        outlet: &mut Outlet,
    ) -> Result<(), ServiceError> {
        let deadline = Instant::now() + LEAVE_TIME;
        while !self.racs_guests.visiting.is_empty() {
            match timeout_at(deadline.into(), outlet.next()).await {
                Ok(Some(told @ Told::Guest(Event::RacsEnded { .. }))) => self.on_told(told)?,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    warn!("a guest that speaks RACS does not leave");
                    break;
                }
            }
        }
        Ok(())
    }
}

/// How long guests may take to leave when the service ends: more than a connection that is closed has.
const LEAVE_TIME: Duration = Duration::from_secs(2);

//! Cards that are lent, and cards in maintenance.

use std::collections::BTreeMap;

use proto::id::Seid;
use tracing::error;

use super::actor::Actor;
use super::card_desk::{LeaseAnswer, LeaseRequest};
use super::cards::no_such_card;
use super::error::ServiceError;
use super::releases::Releases;
use super::rights::No;
use crate::admin::AdminAnswer;
use crate::audit::AuditEvent;
use crate::broker::{Event, LeaseId, LeaseRefusal};
use crate::card::{CardError, TransportError, UseId};

/// Who waits to be told of a card.
#[derive(Debug)]
pub(super) struct Leases {
    next: u64,
    waiting: BTreeMap<LeaseId, LeaseAnswer>,
    /// For those who were refused and wait to ask again.
    releases: Releases,
}

impl Leases {
    /// Nobody yet. What may make a card free will be noted in `releases`.
    pub(super) fn new(releases: Releases) -> Self {
        Self {
            next: 0,
            waiting: BTreeMap::new(),
            releases,
        }
    }

    /// Something has happened that may have made a card free.
    pub(super) fn note_release(&self) {
        self.releases.note();
    }
}

impl Actor {
    pub(super) fn on_lease_wanted(&mut self, request: LeaseRequest) -> Result<(), ServiceError> {
        let LeaseRequest {
            seid,
            holder,
            answer,
        } = request;
        let lease = LeaseId(self.leases.next);
        self.leases.next += 1;
        self.leases.waiting.insert(lease, answer);
        self.tell_broker(Event::LeaseWanted {
            lease,
            seid,
            holder,
        })
    }

    pub(super) fn refuse_lease(&mut self, lease: LeaseId, why: LeaseRefusal) {
        if let Some(answer) = self.leases.waiting.remove(&lease) {
            // Who does not wait any more need not know.
            let _ = answer.send(Err(why));
        }
    }

    /// Has a card lent, once that is on record; what the broker has to hear if it is not.
    pub(super) fn lend(
        &mut self,
        lease: LeaseId,
        seid: &Seid,
        (use_id, bound): (UseId, bool),
        record: &AuditEvent,
    ) -> Result<Option<Event>, ServiceError> {
        if let Err(error) = self.record(record) {
            error!(%error, "cannot write the audit, so no card is lent");
            self.refuse_lease(lease, LeaseRefusal::NotRecorded);
            return Ok(Some(Event::LeaseEnded { lease }));
        }
        let Some(answer) = self.leases.waiting.remove(&lease) else {
            return Ok(Some(Event::LeaseEnded { lease }));
        };
        self.cards.lend(
            seid,
            use_id,
            Box::new(move |lent| {
                // If nobody waits any more, the card is given back by being dropped here.
                let lent = lent.map(|card| card.with_bound(bound));
                let _ = answer.send(lent.map_err(refusal));
            }),
        )?;
        Ok(None)
    }

    /// Takes a card from its guests for a while, or gives it back to them.
    pub(super) fn maintain(&mut self, seid: &Seid, on: bool) -> Result<AdminAnswer, No> {
        if self.cards.config(seid).is_none() {
            return Ok(no_such_card(seid));
        }
        if self.broker.is_in_maintenance(seid) != on {
            self.change(
                |edit| edit.set_maintenance(seid, on),
                |change, ()| AuditEvent::CardMaintenance {
                    change,
                    seid: seid.clone(),
                    on,
                },
            )?;
            let seid = seid.clone();
            self.tell_broker(Event::MaintenanceSet { seid, on })?;
        }
        Ok(self.details(seid, None))
    }
}

fn refusal(error: CardError) -> LeaseRefusal {
    match error {
        CardError::Transport(TransportError::Removed) => LeaseRefusal::Absent,
        CardError::InUse => LeaseRefusal::InUse,
        error => LeaseRefusal::Failed(error.to_string()),
    }
}

//! Cards that are lent for raw APDUs, and cards in maintenance.
//!
//! A card is either guests' or one holder's. One that is bound to a domain is the guests', unless the
//! operator has put it into maintenance; then guests are told to come back later.

use std::time::Instant;

use proto::agent::RefusalCode;
use proto::id::Seid;
use tracing::{debug, info, warn};

use super::account::millis;
use super::action::Action;
use super::card::{Card, Presence, stuck};
use super::core::Broker;
use super::lease::{Holder, Lease, LeaseId, LeaseRefusal};
use super::refusal::Refusal;
use super::session::{Session, SessionKey, Stage};
use crate::audit::{AuditEvent, LeaseEnd};
use crate::card::{LoanEnd, UseId, WorkerCommand};
use crate::limits::Limits;

/// A SEID, and whether a card is there: what users of the RACS server may see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardEntry {
    /// The SEID.
    pub seid: Seid,
    /// Whether there is a card, usable for guests or not.
    pub present: bool,
    /// Whether somebody has it, or guests use it and it is not in maintenance.
    pub in_use: bool,
    /// Whether somebody has it for raw APDUs.
    pub lent: bool,
}

impl Broker {
    /// All cards that can be lent at all, by SEID.
    #[must_use]
    pub fn lendable(&self) -> Vec<CardEntry> {
        let cards = self.cards.iter();
        cards
            .filter(|(_, card)| !self.has_hv_key(card))
            .map(|(seid, card)| CardEntry {
                seid: seid.clone(),
                present: !matches!(card.presence, Presence::Absent),
                in_use: self.may_lend(seid) == Err(LeaseRefusal::InUse),
                lent: card
                    .lease
                    .as_ref()
                    .is_some_and(|lease| lease.ended.is_none()),
            })
            .collect()
    }

    /// Whether the operator has taken a card from its guests.
    #[must_use]
    pub fn is_in_maintenance(&self, seid: &Seid) -> bool {
        self.cards.get(seid).is_some_and(|card| card.maintenance)
    }

    pub(super) fn on_lease_wanted(&mut self, lease: LeaseId, seid: Seid, holder: Holder) {
        if let Holder::Guest { conn, .. } = holder {
            return self.on_guest_wants(lease, seid, conn);
        }
        if let Err(why) = self.may_lend(&seid) {
            // Who waits for a card asks again every second.
            debug!(%seid, %holder, %why, "card not lent");
            self.act(Action::RefuseLease { lease, why });
            return;
        }
        self.lend_now(lease, seid, holder);
    }

    /// The card is free for this holder.
    pub(super) fn lend_now(&mut self, lease: LeaseId, seid: Seid, holder: Holder) {
        let use_id = UseId(self.next_use);
        self.next_use += 1;
        let record = AuditEvent::CardLent {
            seid: seid.clone(),
            holder: holder.to_string(),
        };
        if let Some(card) = self.cards.get_mut(&seid) {
            card.lease = Some(Lease {
                id: lease,
                use_id,
                holder,
                since: self.now.monotonic,
                recalled: None,
                stuck: false,
                ended: None,
            });
        }
        let bound = self.is_bound(&seid);
        self.act(Action::Lend {
            lease,
            seid,
            use_id,
            bound,
            record,
        });
    }

    /// The card, if it is one that could be lent to anybody now.
    pub(super) fn lendable_card(&self, seid: &Seid) -> Result<&Card, LeaseRefusal> {
        let card = self.cards.get(seid).ok_or(LeaseRefusal::Unknown)?;
        if self.stopping {
            return Err(LeaseRefusal::Stopping);
        }
        if self.has_hv_key(card) {
            return Err(LeaseRefusal::HvKeyCard);
        }
        if matches!(card.presence, Presence::Absent) {
            return Err(LeaseRefusal::Absent);
        }
        Ok(card)
    }

    fn may_lend(&self, seid: &Seid) -> Result<(), LeaseRefusal> {
        let card = self.lendable_card(seid)?;
        let is_guests = self.is_bound(seid) && !card.maintenance;
        if is_guests || self.is_used_by_guests(seid, card) {
            return Err(LeaseRefusal::InUse);
        }
        match &card.lease {
            None => Ok(()),
            Some(lease) if lease.ended.is_some() && !lease.stuck => Err(LeaseRefusal::ComingToRest),
            Some(_) => Err(LeaseRefusal::InUse),
        }
    }

    /// Whether it signs for this host: its tokens are worth more than any card of a guest.
    pub(super) fn has_hv_key(&self, card: &Card) -> bool {
        let held = card.holdings.iter().flatten();
        let mut certificates = held.filter_map(|held| held.certificate.as_ref());
        certificates.any(|held| {
            let hash = held.sha256();
            self.issuers.iter().any(|issuer| issuer.id.0 == hash)
        })
    }

    fn is_bound(&self, seid: &Seid) -> bool {
        self.table.on_card(seid).next().is_some()
    }

    /// Whether a handshake has the card, waits for it, or will want its signature.
    fn is_used_by_guests(&self, seid: &Seid, card: &Card) -> bool {
        let coming = |session: &Session| {
            matches!(session.stage, Stage::ExpectEngine { .. }) && session.seid() == Some(seid)
        };
        card.running.is_some() || !card.queue.is_empty() || self.sessions.values().any(coming)
    }

    /// A lease came to nothing before the worker heard of it.
    pub(super) fn on_lease_ended(&mut self, lease: LeaseId) {
        for card in self.cards.values_mut() {
            card.lease.take_if(|held| held.id == lease);
        }
    }

    /// The holder has no card any more; the card has still to come to rest.
    pub(super) fn on_loan_ended(&mut self, seid: &Seid, use_id: UseId, apdus: u64, end: LoanEnd) {
        let end = match end {
            LoanEnd::Returned => LeaseEnd::Returned,
            LoanEnd::Recalled => LeaseEnd::Recalled,
            LoanEnd::Removed => LeaseEnd::Removed,
            LoanEnd::NotLent => LeaseEnd::Failed,
        };
        let now = self.now.monotonic;
        let card = self.cards.get_mut(seid);
        let lease = card.and_then(|card| card.lease.as_mut());
        if let Some(lease) = lease.filter(|lease| lease.use_id == use_id) {
            lease.ended = Some(now);
            self.note_lease_end(seid, end, Some(apdus));
        }
    }

    /// A holder's call does not return; the worker has taken the card from it already.
    pub(super) fn on_loan_overdue(&mut self, seid: &Seid, use_id: UseId) {
        let now = self.now.monotonic;
        let card = self.cards.get_mut(seid);
        let lease = card.and_then(|card| card.lease.as_mut());
        if let Some(lease) = lease.filter(|lease| lease.use_id == use_id) {
            lease.recalled.get_or_insert(now);
            self.give_lease_up(seid);
        }
    }

    /// The holder loses the card. It is free when its running APDU has ended.
    pub(super) fn recall(&mut self, seid: &Seid) {
        let now = self.now.monotonic;
        let card = self.cards.get_mut(seid);
        let Some(lease) = card.and_then(|card| card.lease.as_mut()) else {
            return;
        };
        if lease.recalled.is_none() {
            lease.recalled = Some(now);
            let use_id = lease.use_id;
            info!(%seid, holder = %lease.holder, "card recalled");
            self.order(seid, WorkerCommand::Recall { use_id });
        }
    }

    /// The service ends: no worker is heard of any more.
    pub(super) fn end_leases(&mut self) {
        let lent = self.cards.iter().filter(|(_, card)| card.lease.is_some());
        let lent: Vec<Seid> = lent.map(|(seid, _)| seid.clone()).collect();
        for seid in lent {
            self.recall(&seid);
            self.note_lease_end(&seid, LeaseEnd::ServiceStopped, None);
        }
    }

    fn note_lease_end(&mut self, seid: &Seid, end: LeaseEnd, apdus: Option<u64>) {
        let now = self.now.monotonic;
        let card = self.cards.get(seid);
        let Some(lease) = card.and_then(|card| card.lease.as_ref()) else {
            return;
        };
        let record = AuditEvent::CardReturned {
            seid: seid.clone(),
            holder: lease.holder.to_string(),
            end,
            held_ms: millis(now.saturating_duration_since(lease.since)),
            apdus,
        };
        self.audit(record);
    }

    /// Takes cards for lost that are to come back and do not.
    pub(super) fn check_leases(&mut self) {
        let now = self.now.monotonic;
        let late = |card: &Card| {
            let until = card.lease_timeout(&self.limits);
            until.is_some_and(|until| until <= now)
        };
        let cards = self.cards.iter();
        let late: Vec<Seid> = cards
            .filter(|(_, card)| late(card))
            .map(|(seid, _)| seid.clone())
            .collect();
        for seid in late {
            self.give_lease_up(&seid);
        }
    }

    fn give_lease_up(&mut self, seid: &Seid) {
        let card = self.cards.get_mut(seid);
        if let Some(lease) = card.and_then(|card| card.lease.as_mut()) {
            warn!(%seid, holder = %lease.holder, "a lent card does not return from a command");
            lease.stuck = true;
            self.empty_queue(seid, &stuck());
        }
    }

    /// The operator takes a card from its guests, or gives it back to them. A handshake that has
    /// begun ends well first.
    pub(super) fn on_maintenance(&mut self, seid: &Seid, on: bool) {
        let Some(card) = self.cards.get_mut(seid) else {
            return;
        };
        if std::mem::replace(&mut card.maintenance, on) == on {
            return;
        }
        info!(%seid, on, "maintenance");
        // Its own guest's hand too.
        self.recall(seid);
        if !on {
            return;
        }
        self.refuse_guest_wishes(seid, &LeaseRefusal::InUse);
        let not_begun = |session: &Session| {
            matches!(session.stage, Stage::ExpectCard { wish: None, .. })
                && session.seid() == Some(seid)
        };
        let sessions = self.sessions.iter();
        let waiting: Vec<SessionKey> = sessions
            .filter(|(_, session)| not_begun(session))
            .map(|(key, _)| *key)
            .collect();
        for key in waiting {
            if let Some(card) = self.cards.get_mut(seid) {
                card.queue.remove(key);
            }
            self.move_on(key, in_maintenance());
        }
    }
}

impl Card {
    /// When a card that is to come back counts as lost: its borrower may hang, and so may its worker on
    /// the way to rest.
    pub(super) fn lease_timeout(&self, limits: &Limits) -> Option<Instant> {
        let lease = self.lease.as_ref().filter(|lease| !lease.stuck)?;
        // As long as any card has to come to rest.
        Some(lease.recalled.or(lease.ended)? + limits.handshake + limits.apdu)
    }
}

/// The card is not for guests now.
pub(super) fn in_maintenance() -> Refusal {
    Refusal::new(RefusalCode::NoCard, "the card is in maintenance")
}

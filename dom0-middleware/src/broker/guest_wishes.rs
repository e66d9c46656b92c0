//! What a guest wants its own card for raw APDUs for: judged like the opening of a session, and answered
//! once, however it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use proto::id::Seid;
use tracing::debug;

use super::action::Action;
use super::card::Card;
use super::connection::{Phase, Speaks};
use super::core::Broker;
use super::event::{ConnId, Peer};
use super::guest_leases::needs_card;
use super::lease::{LeaseId, LeaseRefusal};
use super::reads::Question;
use super::session::SessionKey;
use crate::mapping::{BindingId, Decision, DomainFact, Reason};

/// Wishes of guests that were neither fulfilled nor refused.
pub(super) type GuestWishes = BTreeMap<LeaseId, GuestWish>;

/// One guest's wish for one of its cards.
#[derive(Debug)]
pub(super) struct GuestWish {
    pub(super) conn: ConnId,
    pub(super) seid: Seid,
    pub(super) stage: WishStage,
    /// When it is refused if the card was not free by then.
    pub(super) until: Instant,
}

/// What a wish waits for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WishStage {
    /// The judgement.
    ExpectJudgement,
    /// The card, and these handshakes of the same domain first.
    ExpectCard { ahead: BTreeSet<SessionKey> },
}

impl Broker {
    pub(super) fn on_guest_wants(&mut self, lease: LeaseId, seid: Seid, conn: ConnId) {
        let connection = self.connections.get(&conn);
        let connection = connection.filter(|connection| {
            connection.phase == Phase::Admitted && matches!(connection.speaks, Speaks::Racs)
        });
        let Some(connection) = connection else {
            // It has ended, and whoever asks will soon know.
            self.refuse_lease(lease, LeaseRefusal::NotPermitted);
            return;
        };
        if self
            .table
            .raw_apdu(connection.peer.made_for, &seid)
            .is_none()
        {
            self.refuse_lease(lease, LeaseRefusal::NotPermitted);
            return;
        }
        let wish = GuestWish {
            conn,
            seid,
            stage: WishStage::ExpectJudgement,
            until: self.now.monotonic + self.limits.handshake,
        };
        self.guest_wishes.insert(lease, wish);
        self.ask(conn, Question::Lease(lease));
    }

    /// The domain that wants its card is known. `Err` ends the channel.
    pub(super) fn judge_lease(
        &mut self,
        lease: LeaseId,
        conn: ConnId,
        peer: Peer,
        domain: &DomainFact,
    ) -> Result<(), Reason> {
        let Some(wish) = self.guest_wishes.get(&lease) else {
            return Ok(());
        };
        let seid = wish.seid.clone();
        if let Err(reason) = self.judge_raw_card(conn, peer, domain, &seid) {
            debug!(%conn, %seid, %reason, "card not lent to its guest");
            self.guest_wishes.remove(&lease);
            self.refuse_lease(lease, LeaseRefusal::NotPermitted);
            return match reason.ends_channel() {
                true => Err(reason),
                false => Ok(()),
            };
        }
        if let Err(why) = self.may_wait(lease, &seid) {
            self.guest_wishes.remove(&lease);
            self.refuse_lease(lease, why);
            return Ok(());
        }
        let sessions = self.sessions.iter();
        let ahead = sessions.filter(|(_, session)| needs_card(session, &seid));
        let ahead = ahead.map(|(key, _)| *key).collect();
        if let Some(wish) = self.guest_wishes.get_mut(&lease) {
            wish.stage = WishStage::ExpectCard { ahead };
        }
        Ok(())
    }

    fn judge_raw_card(
        &self,
        conn: ConnId,
        peer: Peer,
        domain: &DomainFact,
        seid: &Seid,
    ) -> Result<(), Reason> {
        if self.table.raw_apdu(peer.made_for, seid).is_none() {
            return Err(Reason::BindingRemoved);
        }
        let token = self.shown(conn);
        let raw = self.table.on_card(seid);
        let raw: Vec<BindingId> = raw
            .filter(|(_, binding)| binding.raw_apdu.is_some())
            .map(|(id, _)| id)
            .collect();
        let mut refused = Reason::BindingRemoved;
        for id in raw {
            match self.raw_judgement(id, peer, domain, &token) {
                Decision::Allow(_) => return Ok(()),
                Decision::Refuse(reason) => refused = reason,
            }
        }
        Err(refused)
    }

    /// Whether a guest may have its card, now or when its handshakes are through.
    fn may_wait(&self, lease: LeaseId, seid: &Seid) -> Result<(), LeaseRefusal> {
        let card = self.lendable_card(seid)?;
        if card.maintenance {
            return Err(LeaseRefusal::InUse);
        }
        let waits = |(id, wish): (&LeaseId, &GuestWish)| {
            *id != lease && wish.seid == *seid && wish.stage != WishStage::ExpectJudgement
        };
        match &card.lease {
            // Its last holder is on its way out, and the card will be free.
            Some(held) if held.stuck || (held.ended.is_none() && held.recalled.is_none()) => {
                Err(LeaseRefusal::InUse)
            }
            Some(_) if self.guest_wishes.iter().any(waits) => Err(LeaseRefusal::InUse),
            Some(_) => Ok(()),
            None if self.guest_wishes.iter().any(waits) => Err(LeaseRefusal::InUse),
            None => Ok(()),
        }
    }

    /// A card left, or its guests may not have it now.
    pub(super) fn refuse_guest_wishes(&mut self, seid: &Seid, why: &LeaseRefusal) {
        let of_card =
            |wish: &GuestWish| wish.seid == *seid && wish.stage != WishStage::ExpectJudgement;
        self.refuse_wishes_where(of_card, why);
    }

    /// A guest's connection ends: what it waits for it does not get, and what it has comes back.
    pub(super) fn take_leases_of(&mut self, conn: ConnId) {
        self.refuse_wishes_where(|wish| wish.conn == conn, &LeaseRefusal::NotPermitted);
        let is_its = |card: &Card| {
            let lease = card.lease.as_ref();
            lease.is_some_and(|lease| lease.holder.is_guest(conn) && lease.ended.is_none())
        };
        let cards = self.cards.iter().filter(|(_, card)| is_its(card));
        let cards: Vec<Seid> = cards.map(|(seid, _)| seid.clone()).collect();
        for seid in cards {
            self.recall(&seid);
        }
    }

    pub(super) fn refuse_wishes_where(
        &mut self,
        is_over: impl Fn(&GuestWish) -> bool,
        why: &LeaseRefusal,
    ) {
        let over = self.guest_wishes.iter().filter(|(_, wish)| is_over(wish));
        let over: Vec<LeaseId> = over.map(|(lease, _)| *lease).collect();
        for lease in over {
            self.guest_wishes.remove(&lease);
            self.refuse_lease(lease, why.clone());
        }
    }

    pub(super) fn refuse_lease(&mut self, lease: LeaseId, why: LeaseRefusal) {
        self.act(Action::RefuseLease { lease, why });
    }
}

//! A guest that wants its own card for raw APDUs, and its handshakes with that card: they take turns.
//!
//! The wish waits for the handshakes that came before it, and those that come after it wait for the
//! lease. While a lease lasts nobody knows for how long; so a handshake that has waited for
//! [`OWN_LEASE_WAIT`] is refused, and told when to ask again. The card is the domain's alone, so
//! nobody else waits for any of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proto::agent::RefusalCode;
use proto::id::Seid;
use tracing::debug;

use super::action::Action;
use super::card::Card;
use super::connection::{Phase, Speaks};
use super::core::Broker;
use super::event::{ConnId, Peer};
use super::lease::{Holder, LeaseId, LeaseRefusal};
use super::reads::Question;
use super::refusal::Refusal;
use super::session::{Session, SessionKey, Stage};
use crate::mapping::{BindingId, Decision, DomainFact, Reason};

/// How long a handshake waits while its own domain has the card for raw APDUs.
pub(super) const OWN_LEASE_WAIT: Duration = Duration::from_secs(10);
/// From the beginning of one lease of a card to a guest to that of the next: each is a reset, an opening
/// with its PIN, and records, of which a guest could have any number.
pub(super) const LEASE_PAUSE: Duration = Duration::from_millis(250);
/// When such a guest may ask again.
const OWN_LEASE_RETRY: Duration = Duration::from_secs(1);

/// Wishes of guests that were neither fulfilled nor refused.
pub(super) type GuestWishes = BTreeMap<LeaseId, GuestWish>;

/// One guest's wish for one of its cards.
#[derive(Debug)]
pub(super) struct GuestWish {
    pub(super) conn: ConnId,
    seid: Seid,
    stage: WishStage,
    /// When it is refused if the card was not free by then.
    pub(super) until: Instant,
}

/// What a wish waits for.
#[derive(Debug, PartialEq, Eq)]
enum WishStage {
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

    /// Gives cards to the guests whose turn it is.
    pub(super) fn lend_to_guests(&mut self) {
        let due: Vec<LeaseId> = self
            .guest_wishes
            .iter()
            .filter(|(_, wish)| self.is_turn(wish))
            .map(|(lease, _)| *lease)
            .collect();
        for lease in due {
            let Some(GuestWish { conn, seid, .. }) = self.guest_wishes.remove(&lease) else {
                continue;
            };
            match self.connections.get(&conn) {
                Some(connection) => {
                    let domain = connection.peer.made_for;
                    if let Some(card) = self.cards.get_mut(&seid) {
                        card.next_guest_lease = Some(self.now.monotonic + LEASE_PAUSE);
                    }
                    self.lend_now(lease, seid, Holder::Guest { conn, domain });
                }
                None => self.refuse_lease(lease, LeaseRefusal::NotPermitted),
            }
        }
    }

    /// Whether a guest that wants this card is the next to have it: handshakes wait for it.
    pub(super) fn is_next_for_guest(&self, seid: &Seid) -> bool {
        let mut wishes = self.guest_wishes.values();
        wishes.any(|wish| wish.seid == *seid && self.is_through(wish))
    }

    fn is_turn(&self, wish: &GuestWish) -> bool {
        let now = self.now.monotonic;
        let is_free = |card: &Card| {
            let is_time = card.next_guest_lease.is_none_or(|at| at <= now);
            is_time && card.running.is_none() && card.lease.is_none()
        };
        self.cards.get(&wish.seid).is_some_and(is_free) && self.is_through(wish)
    }

    /// Whether nobody is before it any more.
    fn is_through(&self, wish: &GuestWish) -> bool {
        let WishStage::ExpectCard { ahead } = &wish.stage else {
            return false;
        };
        let waits = |key: &SessionKey| {
            let session = self.sessions.get(key);
            session.is_some_and(|session| needs_card(session, &wish.seid))
        };
        !ahead.iter().any(waits)
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

    fn refuse_wishes_where(&mut self, is_over: impl Fn(&GuestWish) -> bool, why: &LeaseRefusal) {
        let over = self.guest_wishes.iter().filter(|(_, wish)| is_over(wish));
        let over: Vec<LeaseId> = over.map(|(lease, _)| *lease).collect();
        for lease in over {
            self.guest_wishes.remove(&lease);
            self.refuse_lease(lease, why.clone());
        }
    }

    fn refuse_lease(&mut self, lease: LeaseId, why: LeaseRefusal) {
        self.act(Action::RefuseLease { lease, why });
    }

    /// When [`Self::check_guest_leases`] must be called.
    pub(super) fn guest_lease_timeout(&self) -> Option<Instant> {
        let now = self.now.monotonic;
        let wishes = self.guest_wishes.values().flat_map(|wish| {
            let card = self.cards.get(&wish.seid);
            let pause = card.and_then(|card| card.next_guest_lease);
            [Some(wish.until), pause.filter(|at| *at > now)]
        });
        let wishes = wishes.flatten();
        let waiting = self.behind_own_lease().map(|(_, until)| until);
        wishes.chain(waiting).min()
    }

    /// Refuses those who have waited for too long.
    pub(super) fn check_guest_leases(&mut self) {
        let now = self.now.monotonic;
        self.refuse_wishes_where(|wish| wish.until <= now, &LeaseRefusal::InUse);
        let late = self.behind_own_lease().filter(|(_, until)| *until <= now);
        let late: Vec<SessionKey> = late.map(|(key, _)| key).collect();
        for key in late {
            let seid = self.sessions.get(&key).and_then(Session::seid).cloned();
            if let Some(card) = seid.and_then(|seid| self.cards.get_mut(&seid)) {
                card.queue.remove(key);
            }
            let why = "the domain's own RACS connection has the card";
            let refusal = Refusal::of_wish(RefusalCode::NoCard, why);
            self.move_on(key, refusal.retry_after(OWN_LEASE_RETRY));
        }
    }

    /// Handshakes that wait for a card which their own domain has for raw APDUs, and for how long.
    fn behind_own_lease(&self) -> impl Iterator<Item = (SessionKey, Instant)> {
        let cards = self.cards.values();
        let lent = cards.filter(|card| card.lent_to_guest().is_some());
        let waiting = lent.flat_map(|card| card.queue.waiting());
        waiting.filter_map(|key| match &self.sessions.get(&key)?.stage {
            Stage::ExpectCard { since, .. } => Some((key, *since + OWN_LEASE_WAIT)),
            _ => None,
        })
    }
}

/// Whether a handshake has this card, waits for it, or will want its signature.
fn needs_card(session: &Session, seid: &Seid) -> bool {
    let is_to_come = match &session.stage {
        Stage::ExpectJudgement(_) | Stage::ExpectRelease { .. } => false,
        Stage::ExpectCard { .. } | Stage::ExpectKeys { .. } => true,
        Stage::ExpectEngine { .. } => session.engine.is_some_and(|engine| !engine.took_card),
    };
    is_to_come && session.seid() == Some(seid)
}

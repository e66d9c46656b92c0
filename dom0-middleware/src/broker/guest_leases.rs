//! Raw APDUs of a guest and its handshakes, with the card that is its own: they take turns.
//!
//! The wish waits for the handshakes that came before it, and those that come after it wait for the
//! lease. While a lease lasts nobody knows for how long; so a handshake that has waited for
//! [`OWN_LEASE_WAIT`] is refused, and told when to ask again. The card is the domain's alone, so
//! nobody else waits for any of it.

use std::time::{Duration, Instant};

use proto::agent::RefusalCode;
use proto::id::Seid;

use super::card::Card;
use super::core::Broker;
use super::guest_wishes::{GuestWish, WishStage};
use super::lease::{Holder, LeaseId, LeaseRefusal};
use super::refusal::Refusal;
use super::session::{Session, SessionKey, Stage};

/// How long a handshake waits while its own domain has the card for raw APDUs.
pub(super) const OWN_LEASE_WAIT: Duration = Duration::from_secs(10);
/// From the beginning of one lease of a card to a guest to that of the next: each is a reset, an opening
/// with its PIN, and records, of which a guest could have any number.
pub(super) const LEASE_PAUSE: Duration = Duration::from_millis(250);
/// When such a guest may ask again.
const OWN_LEASE_RETRY: Duration = Duration::from_secs(1);

impl Broker {
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
pub(super) fn needs_card(session: &Session, seid: &Seid) -> bool {
    let is_to_come = match &session.stage {
        Stage::ExpectJudgement(_) | Stage::ExpectRelease { .. } => false,
        Stage::ExpectCard { .. } | Stage::ExpectKeys { .. } => true,
        Stage::ExpectEngine { .. } => session.engine.is_some_and(|engine| !engine.took_card),
    };
    is_to_come && session.seid() == Some(seid)
}

//! `open`: a session is judged, planned, and sent to wait for its card.

use std::sync::Arc;
use std::time::Duration;

use proto::agent::{Dom0Message, Open, Queued, RefusalCode};
use proto::id::IdentityName;

use super::admission::without_trust;
use super::card::Card;
use super::core::Broker;
use super::engine::SignWish;
use super::event::{ConnId, Peer};
use super::plan::Plan;
use super::queue::Pushed;
use super::reads::Question;
use super::refusal::Refusal;
use super::session::{Session, SessionKey, Stage};
use crate::card::Door;
use crate::mapping::{DomainFact, Reason, Wish};

/// When a guest that has too many handshakes in progress may try again.
const BUSY_RETRY: Duration = Duration::from_secs(1);

impl Broker {
    pub(super) fn on_open(&mut self, key: SessionKey, open: Open) {
        let Some(connection) = self.connections.get(&key.conn) else {
            return;
        };
        let peer = connection.peer;
        if self.sessions.contains_key(&key) || connection.past.contains(key.session) {
            // Nobody can tell any more which of the two a message means.
            self.refuse(key, Refusal::protocol("session number used twice"));
            return;
        }
        let same = |session: &&Session| session.peer.domid == peer.domid;
        let in_progress = self.sessions.values().filter(same).count();
        let session = Session {
            peer,
            server_name: open.server_name.clone(),
            since: self.now,
            stage: Stage::ExpectJudgement(Box::new(open)),
            engine: None,
        };
        self.sessions.insert(key, session);
        if in_progress >= self.limits.handshakes_per_domain {
            let no = Refusal::of_wish(RefusalCode::Limit, "too many handshakes at once");
            self.refuse(key, no.retry_after(BUSY_RETRY));
            return;
        }
        self.ask(key.conn, Question::Open(key));
    }

    /// The domain of an `open` is known. `Err` ends the channel.
    pub(super) fn judge_open(
        &mut self,
        key: SessionKey,
        peer: Peer,
        domain: &DomainFact,
    ) -> Result<(), Reason> {
        let Some(session) = self.sessions.get(&key) else {
            return Ok(());
        };
        let Stage::ExpectJudgement(open) = &session.stage else {
            return Ok(());
        };
        match self.plan(key.conn, open, peer, domain) {
            Ok(Ok(plan)) if plan.needs_card_at_once() => self.enqueue(key, Arc::new(plan), None),
            Ok(Ok(plan)) => self.begin_engine(key, Arc::new(plan)),
            Ok(Err(refusal)) => self.refuse(key, refusal),
            Err(reason) => self.refuse(key, Self::refusal(reason)?),
        }
        Ok(())
    }

    /// Which card it will be, if there are several that are as good, and how it is used.
    fn plan(
        &self,
        conn: ConnId,
        open: &Open,
        peer: Peer,
        domain: &DomainFact,
    ) -> Result<Result<Plan, Refusal>, Reason> {
        let identity: Option<IdentityName> = match open.identity.as_deref().map(str::parse) {
            None => None,
            Some(Ok(name)) => Some(name),
            Some(Err(_)) => return Ok(Err(Refusal::protocol("not the name of an identity"))),
        };
        let pool = self.pool(peer.made_for, identity.as_ref());
        match pool.is_empty() {
            true => self.plan_with(conn, open, peer, domain, Wish::Identity(identity.as_ref())),
            false => self.plan_in_pool(conn, open, peer, domain, &pool),
        }
    }

    /// First the four facts, then the card, then what it can carry.
    pub(super) fn plan_with(
        &self,
        conn: ConnId,
        open: &Open,
        peer: Peer,
        domain: &DomainFact,
        wish: Wish<'_>,
    ) -> Result<Result<Plan, Refusal>, Reason> {
        let grant = match self.judgement(conn, peer, domain, wish) {
            Ok(grant) => grant,
            Err(Reason::CardNotRead { seid }) => {
                // What stands against the card stands against the wish.
                let card = self.cards.get(&seid).map(Card::features);
                return match card {
                    Some(Err(refusal)) => Ok(Err(refusal)),
                    _ => Err(Reason::CardNotRead { seid }),
                };
            }
            Err(reason) => return Err(reason),
        };
        let Some(card) = self.cards.get(&grant.seid) else {
            return Ok(Err(super::card::absent()));
        };
        let features = match card.features() {
            Ok(features) => features,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let binding = self.table.binding(grant.binding);
        let (Some(binding), Some(trust)) = (binding, self.trust.get(&grant.binding)) else {
            return Ok(Err(without_trust()));
        };
        let trust = Arc::clone(trust);
        let signer = match features.door {
            Door::EapTls => None,
            Door::Piv => match card.signer(&grant.identity) {
                Some(signer) => Some(signer),
                None => {
                    let reason = "the identity has no certificate whose key can sign for TLS";
                    return Ok(Err(Refusal::new(RefusalCode::CardFailed, reason)));
                }
            },
        };
        let plan = Plan::new(open, grant, &binding.terms, features, trust);
        Ok(plan.map(|plan| plan.with_signer(signer)))
    }

    pub(super) fn enqueue(&mut self, key: SessionKey, plan: Arc<Plan>, wish: Option<SignWish>) {
        let Some(card) = self.cards.get_mut(&plan.grant.seid) else {
            return;
        };
        let pushed = card.queue.push(plan.grant.admission.domain, key);
        if let Some(session) = self.sessions.get_mut(&key) {
            session.stage = Stage::ExpectCard {
                plan,
                wish,
                since: self.now.monotonic,
                told: None,
            };
        }
        let crowded = || Refusal::of_wish(RefusalCode::Limit, "too many wait for the card");
        match pushed {
            Pushed::Queued => {}
            Pushed::Displaced(other) => self.refuse(other, crowded().retry_after(BUSY_RETRY)),
            Pushed::Full => self.refuse(key, crowded().retry_after(BUSY_RETRY)),
        }
    }

    /// Tells those who wait where they stand, when that has changed.
    pub(super) fn tell_places(&mut self) {
        let now = self.now.monotonic;
        let mut messages = Vec::new();
        for card in self.cards.values_mut() {
            if !card.queue.take_changed() {
                continue;
            }
            let plan = |key| self.sessions.get(&key).and_then(Session::plan);
            for place in card.forecast(now, plan) {
                let Some(session) = self.sessions.get_mut(&place.key) else {
                    continue;
                };
                let Stage::ExpectCard { told, .. } = &mut session.stage else {
                    continue;
                };
                if told.replace(place.place) != Some(place.place) {
                    messages.push(place);
                }
            }
        }
        for place in messages {
            let queued = Queued {
                session: place.key.session,
                place: place.place,
                expected_ms: u64::try_from(place.expected.as_millis()).unwrap_or(u64::MAX),
            };
            self.send(place.key.conn, Dom0Message::Queued(queued));
        }
    }
}

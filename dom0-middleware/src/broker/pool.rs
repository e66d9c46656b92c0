//! A domain with several cards that are as good as each other: the one that will be done first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::agent::Open;
use proto::id::{DomainUuid, IdentityName, Seid};

use super::core::Broker;
use super::event::{ConnId, Peer};
use super::plan::Plan;
use super::reads::Question;
use super::refusal::Refusal;
use super::session::{Session, SessionKey, Stage};
use crate::mapping::{self, BindingId, DomainFact, Reason, Wish};

/// The pool that a plan was made in.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    /// What the guest wanted, to ask for it again when its card is lost.
    open: Arc<Open>,
    /// The other cards.
    others: Vec<Seid>,
    /// Those of them that it could have had.
    pub(super) usable: Vec<Seid>,
}

impl Broker {
    /// The bindings of a domain that are as good for a wish: other cards, on the same terms. Empty
    /// when there are not at least two.
    pub(super) fn pool(
        &self,
        domain: DomainUuid,
        identity: Option<&IdentityName>,
    ) -> Vec<BindingId> {
        let pool = mapping::pool(&self.binding_facts(domain), identity);
        let terms = |id: &BindingId| {
            let binding = self.table.binding(*id)?;
            let trust = self.trust.get(id)?;
            Some((&binding.terms, trust.fingerprint()))
        };
        let Some(first) = pool.first().and_then(terms) else {
            return Vec::new();
        };
        match pool.iter().all(|id| terms(id) == Some(first)) {
            true => pool,
            false => Vec::new(),
        }
    }

    /// Plans with the card that is expected to be done first, among those that can be used. `Err`
    /// ends the channel.
    pub(super) fn plan_in_pool(
        &self,
        conn: ConnId,
        open: &Open,
        peer: Peer,
        domain: &DomainFact,
        pool: &[BindingId],
    ) -> Result<Result<Plan, Refusal>, Reason> {
        let mut best: Option<((Duration, Option<Instant>), Plan)> = None;
        let mut usable = Vec::new();
        let mut refused = None;
        for id in pool {
            let planned = match self.plan_with(conn, open, peer, domain, Wish::Binding(*id)) {
                Ok(planned) => planned,
                Err(reason) => Err(Self::refusal(reason)?),
            };
            match planned {
                Ok(plan) => {
                    let end = self.expected_end(&plan);
                    usable.push(plan.grant.seid.clone());
                    if best.as_ref().is_none_or(|(least, _)| end < *least) {
                        best = Some((end, plan));
                    }
                }
                Err(refusal) => {
                    refused.get_or_insert(refusal);
                }
            }
        }
        let Some((_, plan)) = best else {
            return Ok(Err(refused.unwrap_or_else(super::card::absent)));
        };
        let is_other = |seid: &Seid| *seid != plan.grant.seid;
        usable.retain(is_other);
        let cards = pool.iter().filter_map(|id| self.table.binding(*id));
        let others = cards.map(|binding| binding.seid.clone()).filter(is_other);
        let pool = Pool {
            open: Arc::new(open.clone()),
            others: others.collect(),
            usable,
        };
        Ok(Ok(plan.in_pool(pool)))
    }

    /// In how much time a handshake would be over if it began now; and since when its card is idle,
    /// so that of cards that are as fast the longest idle is taken.
    fn expected_end(&self, plan: &Plan) -> (Duration, Option<Instant>) {
        let seid = &plan.grant.seid;
        let Some(card) = self.cards.get(seid) else {
            return (Duration::MAX, None);
        };
        let plan_of = |key| self.sessions.get(&key).and_then(Session::plan);
        let own = card.expected_end(self.now.monotonic, plan, plan_of);
        // Handshakes of the service that have not come to their signature yet.
        let coming = self.sessions.values().filter(|session| {
            let engine = session.engine.filter(|engine| !engine.took_card);
            engine.is_some()
                && matches!(session.stage, Stage::ExpectEngine { .. })
                && session.seid() == Some(seid)
        });
        let coming = coming.filter_map(|session| {
            let identity = &session.plan()?.grant.identity;
            Some(card.pace.expected(identity, false))
        });
        (coming.fold(own, Duration::saturating_add), card.idle_since)
    }

    /// Whether another card of the pool that a plan was made in can be used.
    pub(super) fn has_other_card(&self, plan: &Plan) -> bool {
        let mut others = plan.pool.iter().flat_map(|pool| &pool.others);
        others.any(|seid| {
            self.cards
                .get(seid)
                .is_some_and(|card| card.features().is_ok())
        })
    }

    /// The card of one who waits is lost: another card of its pool is looked for, or it is refused.
    pub(super) fn move_on(&mut self, key: SessionKey, refusal: Refusal) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        let pool = match &session.stage {
            // A handshake that has begun belongs to its card's key.
            Stage::ExpectCard {
                plan, wish: None, ..
            } => plan.pool.as_ref(),
            _ => None,
        };
        let Some(open) = pool.map(|pool| (*pool.open).clone()) else {
            self.refuse(key, refusal);
            return;
        };
        session.stage = Stage::ExpectJudgement(Box::new(open));
        self.ask(key.conn, Question::Open(key));
    }
}

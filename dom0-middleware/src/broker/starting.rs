//! A session's turn: it is judged again and its card's worker gets the order.

use std::sync::Arc;

use proto::id::Seid;

use super::card::{Use, UseStep};
use super::core::Broker;
use super::event::Peer;
use super::reads::Question;
use super::session::Stage;
use crate::card::{UseId, WorkerCommand};
use crate::mapping::{DomainFact, Reason, Wish};

impl Broker {
    /// Gives every free card to the session whose turn it is.
    pub(super) fn start_next(&mut self) {
        let free: Vec<Seid> = self
            .cards
            .iter()
            .filter(|(seid, card)| {
                card.is_free() && !card.queue.is_empty() && !self.is_next_for_guest(seid)
            })
            .map(|(seid, _)| seid.clone())
            .collect();
        for seid in free {
            self.take_turn(&seid);
        }
    }

    fn take_turn(&mut self, seid: &Seid) {
        let now = self.now.monotonic;
        let Some(card) = self.cards.get_mut(seid) else {
            return;
        };
        // Who waits in a queue has a session that waits for this card.
        while let Some((domain, key)) = card.queue.pop() {
            let Some(session) = self.sessions.get_mut(&key) else {
                continue;
            };
            let Stage::ExpectCard {
                plan, since, wish, ..
            } = &mut session.stage
            else {
                continue;
            };
            let use_id = UseId(self.next_use);
            self.next_use += 1;
            let plan = Arc::clone(plan);
            let waited = now.saturating_duration_since(*since);
            let wish = wish.take();
            card.running = Some(Use {
                id: use_id,
                domain,
                plan: Arc::clone(&plan),
                wish,
                key: Some(key),
                step: UseStep::ExpectJudgement,
                since: now,
                waited,
                server_bytes: 0,
                client_bytes: 0,
                done: None,
                stuck: false,
            });
            session.stage = Stage::ExpectKeys { plan };
            if let Some(engine) = &mut session.engine {
                engine.took_card = true;
            }
            let seid = seid.clone();
            self.ask(key.conn, Question::Start { seid, use_id });
            return;
        }
    }

    /// The domain of a session whose turn it is is known. `Err` ends the channel.
    pub(super) fn judge_start(
        &mut self,
        seid: &Seid,
        use_id: UseId,
        peer: Peer,
        domain: &DomainFact,
    ) -> Result<(), Reason> {
        let card = self.cards.get_mut(seid);
        let Some(running) = card.and_then(|card| card.running(use_id)) else {
            return Ok(());
        };
        let Some(key) = running.key else {
            return Ok(());
        };
        let plan = Arc::clone(&running.plan);
        if let Err(reason) = self.judgement(key.conn, peer, domain, Wish::Same(&plan.grant)) {
            let refusal = Self::refusal(reason)?;
            self.refuse(key, refusal);
            return Ok(());
        }
        let mut wish = None;
        if let Some(running) = self.cards.get_mut(seid).and_then(|c| c.running(use_id)) {
            running.step = UseStep::ExpectWorker;
            running.since = self.now.monotonic;
            wish = running.wish.take();
        }
        self.note_opened(key, &plan);
        let command = match wish {
            Some(wish) => WorkerCommand::Sign(Box::new(wish.into_job(use_id, &plan))),
            None => {
                self.limit_resumption(seid);
                let job = plan.job(use_id, self.limits.handshake_bytes);
                WorkerCommand::Start(Box::new(job))
            }
        };
        self.order(seid, command);
        Ok(())
    }
}

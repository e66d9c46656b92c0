//! Handshakes that the service makes itself: the card is taken for one signature, if any.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::agent::RefusalCode;
use proto::id::{DomainUuid, Seid};

use super::action::Action;
use super::card::Done;
use super::core::Broker;
use super::engine::{EngineCommand, EngineReport, SignWish, Unresumable};
use super::plan::Plan;
use super::reads::Question;
use super::records::too_many_bytes;
use super::refusal::Refusal;
use super::session::{Session, SessionKey, Stage};
use crate::card::{CardSession, SessionError, SignJob, UseId, WorkerCommand};

/// What the broker knows of the engine of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct EngineState {
    /// When the handshake has taken too long; time in a queue does not count.
    until: Instant,
    /// Bytes from the server.
    pub(super) server_bytes: usize,
    /// Bytes for the server.
    pub(super) client_bytes: usize,
    /// How long the session waited for the card.
    pub(super) waited: Duration,
    /// Time of the card in APDUs.
    pub(super) card_time: Duration,
    /// Whether it took the card, so that the audit knows of it.
    pub(super) took_card: bool,
}

impl Broker {
    /// Begins a handshake that needs no card yet.
    pub(super) fn begin_engine(&mut self, key: SessionKey, plan: Arc<Plan>) {
        let Some(request) = plan.engine_request(self.limits.handshake_bytes) else {
            return;
        };
        self.limit_resumption(&plan.grant.seid);
        let until = self.now.monotonic + self.limits.handshake;
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        session.engine = Some(EngineState {
            until,
            server_bytes: 0,
            client_bytes: 0,
            waited: Duration::ZERO,
            card_time: Duration::ZERO,
            took_card: false,
        });
        session.stage = Stage::ExpectEngine { plan };
        self.engine_deadlines.insert((until, key));
        self.tell_engine(key, EngineCommand::Begin(Box::new(request)));
    }

    pub(super) fn on_engine_report(&mut self, key: SessionKey, report: EngineReport) {
        // Of a session that is over, or of an engine that speaks out of turn.
        let Some(Session {
            stage: Stage::ExpectEngine { plan },
            engine: Some(engine),
            ..
        }) = self.sessions.get_mut(&key)
        else {
            return;
        };
        match report {
            EngineReport::ClientRecords(data) => {
                let limit = self.limits.handshake_bytes;
                engine.client_bytes = engine.client_bytes.saturating_add(data.len());
                match engine.client_bytes > limit {
                    true => self.refuse(key, too_many_bytes(limit)),
                    false => self.send_client_records(key, &data),
                }
            }
            EngineReport::WantsSignature(wish) => {
                let plan = Arc::clone(plan);
                self.leave_engine(key);
                self.enqueue_signature(key, plan, wish);
            }
            EngineReport::Established(mut session) => {
                let (plan, waited) = (Arc::clone(plan), engine.waited);
                session.card_time = engine.card_time;
                self.leave_engine(key);
                self.await_release(key, plan, waited, session);
            }
            EngineReport::Failed { error, alert } => {
                self.refuse(key, Refusal::of_session(&error, alert));
            }
        }
    }

    /// The keys of a session are here; they go no further until the last judgement.
    pub(super) fn await_release(
        &mut self,
        key: SessionKey,
        plan: Arc<Plan>,
        waited: Duration,
        keys: Box<CardSession>,
    ) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.stage = Stage::ExpectRelease { plan, waited };
            let question = Question::Release { key, session: keys };
            self.ask(key.conn, question);
        }
    }

    fn enqueue_signature(&mut self, key: SessionKey, plan: Arc<Plan>, wish: SignWish) {
        let card = self.cards.get(&plan.grant.seid);
        let can = match card.map(super::card::Card::usable) {
            Some(Ok(_)) => Ok(()),
            Some(Err(refusal)) => Err(refusal),
            None => Err(super::card::absent()),
        };
        match can {
            Ok(()) => self.enqueue(key, plan, Some(wish)),
            Err(refusal) => self.refuse(key, refusal),
        }
    }

    /// Records of the server for an engine. Those that come while the card signs wait in it.
    pub(super) fn on_engine_records(&mut self, key: SessionKey, data: Vec<u8>) {
        let limit = self.limits.handshake_bytes;
        let session = self.sessions.get_mut(&key);
        let Some(engine) = session.and_then(|session| session.engine.as_mut()) else {
            return;
        };
        if engine.client_bytes == 0 {
            self.refuse(key, super::records::spoke_first());
            return;
        }
        engine.server_bytes = engine.server_bytes.saturating_add(data.len());
        match engine.server_bytes > limit {
            true => self.refuse(key, too_many_bytes(limit)),
            false => self.tell_engine(key, EngineCommand::ServerRecords(data)),
        }
    }

    /// The card has signed, and the engine has the signature.
    pub(super) fn on_signed(&mut self, seid: &Seid, use_id: UseId, card_time: Duration) {
        let now = self.now.monotonic;
        let card = self.cards.get_mut(seid);
        let Some(running) = card.and_then(|card| card.running(use_id)) else {
            return;
        };
        running.done = Some(Done {
            resumed: false,
            card_time,
        });
        // Given up meanwhile: nothing comes of the signature.
        let Some(key) = running.key.take() else {
            return;
        };
        let (plan, waited) = (Arc::clone(&running.plan), running.waited);
        let held = now.saturating_duration_since(running.since);
        let session = self.sessions.get_mut(&key);
        let Some(Session { stage, engine, .. }) = session else {
            return;
        };
        let Some(engine) = engine else {
            return;
        };
        engine.waited += waited;
        engine.card_time += card_time;
        engine.until += waited + held;
        *stage = Stage::ExpectEngine { plan };
        self.engine_deadlines.insert((engine.until, key));
    }

    /// A ticket of a session whose keys the guest has.
    pub(super) fn on_ticket(&mut self, key: SessionKey, data: Vec<u8>) {
        let connection = self.connections.get(&key.conn);
        let standing = connection.and_then(|c| c.past.standing(key.session));
        if standing.is_some_and(|standing| standing.plan.keeps_sessions()) {
            self.tell_engine(key, EngineCommand::Ticket(data));
        }
    }

    /// The engine of a session is not waited for any more.
    pub(super) fn leave_engine(&mut self, key: SessionKey) {
        let session = self.sessions.get(&key);
        if let Some(engine) = session.and_then(|session| session.engine) {
            self.engine_deadlines.remove(&(engine.until, key));
        }
    }

    pub(super) fn tell_engine(&mut self, key: SessionKey, command: EngineCommand) {
        let SessionKey { conn, session } = key;
        self.act(Action::Engine {
            conn,
            session,
            command,
        });
    }

    /// These sessions are not resumed any more.
    pub(super) fn forget_resumption(&mut self, which: Unresumable) {
        self.act(Action::ForgetResumption(which));
    }

    /// A handshake with this card begins: what is too old for it to resume is forgotten.
    pub(super) fn limit_resumption(&mut self, seid: &Seid) {
        let now = self.now.monotonic;
        let card = self.cards.get_mut(seid);
        if card.is_some_and(|card| card.outlives_resumption(&self.limits, now)) {
            self.order(seid, WorkerCommand::ForgetSession);
            self.forget_resumption(Unresumable::Card(seid.clone()));
        }
    }

    /// What a domain was let in with has ended: nothing that was made for it is resumed, by engines
    /// or by its cards.
    pub(super) fn forget_made_for(&mut self, domain: DomainUuid) {
        self.forget_resumption(Unresumable::Domain(domain));
        let bound = self.table.of_domain(domain);
        let cards: BTreeSet<Seid> = bound.map(|(_, binding)| binding.seid.clone()).collect();
        for seid in cards {
            self.order(&seid, WorkerCommand::ForgetSession);
        }
    }

    /// Handshakes with a card that is not there any more end, even those that did not need it yet.
    pub(super) fn end_engines_of(&mut self, seid: &Seid, refusal: &Refusal) {
        let of_card = |session: &Session| {
            session.engine.is_some()
                && matches!(session.stage, Stage::ExpectEngine { .. })
                && session.seid() == Some(seid)
        };
        let sessions = self.sessions.iter();
        let ended: Vec<SessionKey> = sessions
            .filter(|(_, session)| of_card(session))
            .map(|(key, _)| *key)
            .collect();
        for key in ended {
            self.refuse(key, refusal.clone());
        }
    }

    /// Ends handshakes whose time is over.
    pub(super) fn check_engines(&mut self) {
        let now = self.now.monotonic;
        while let Some(&(until, key)) = self.engine_deadlines.first()
            && until <= now
        {
            self.engine_deadlines.remove(&(until, key));
            let limit = self.limits.handshake;
            let error = SessionError::Timeout { limit };
            self.refuse(key, Refusal::of_wish(RefusalCode::Timeout, error));
        }
    }
}

impl SignWish {
    /// The order for the card's worker.
    pub(super) fn into_job(self, use_id: UseId, plan: &Plan) -> SignJob {
        SignJob {
            use_id,
            identity: plan.grant.identity.clone(),
            scheme: self.scheme,
            message: self.message,
            client_certificate_sha256: plan.grant.certificate_sha256,
            slot: self.slot,
        }
    }
}

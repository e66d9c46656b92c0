//! How sessions end: refused, closed by the guest, or left behind by it.

use std::sync::Arc;

use proto::agent::Dom0Message;
use proto::id::{DomId, DomainUuid, Seid};
use proto::tls::AlertDescription;
use tracing::debug;

use super::card::UseStep;
use super::connection::Standing;
use super::core::Broker;
use super::engine::EngineCommand;
use super::plan::Plan;
use super::refusal::Refusal;
use super::session::{Session, SessionKey, Stage};
use crate::audit::Refusals;
use crate::card::WorkerCommand;

impl Broker {
    /// Ends a session with a no. A session that is not known is refused all the same.
    pub(super) fn refuse(&mut self, key: SessionKey, refusal: Refusal) {
        let ended = self.end_session(key);
        let plan = ended.as_ref().and_then(Session::plan);
        let refusal = match plan.is_some_and(|plan| self.has_other_card(plan)) {
            true => refusal.in_pool(),
            false => refusal,
        };
        let Some(connection) = self.connections.get(&key.conn) else {
            return;
        };
        let peer = connection.peer;
        let seid = ended.as_ref().and_then(Session::seid);
        let server_name = ended.as_ref().map(|session| session.server_name.clone());
        self.note_refusal(peer.domid, Some(peer.made_for), &refusal, seid, server_name);
        let message = refusal.message(Some(key.session));
        self.send(key.conn, Dom0Message::Refused(message));
    }

    /// The guest is done with a session, perhaps because the server ended it by an alert.
    pub(super) fn on_close(&mut self, key: SessionKey, alert: Option<AlertDescription>) {
        let connection = self.connections.get_mut(&key.conn);
        let established = connection.and_then(|c| c.past.take_established(key.session));
        if let Some(standing) = established {
            if standing.plan.keeps_sessions() {
                self.tell_engine(key, EngineCommand::Forget);
            }
            self.note_closed(key, &standing, alert.map(|alert| alert.to_string()));
        }
        self.drop_session(key);
    }

    /// Ends a session the guest does not want any more.
    pub(super) fn drop_session(&mut self, key: SessionKey) {
        if let Some(session) = self.end_session(key) {
            debug!(session = %key, "session given up");
            self.note_given_up(key, &session);
        }
    }

    /// Takes a session out of wherever it is. From here on nothing is sent for it, and a key that
    /// its card may still give is dropped.
    pub(super) fn end_session(&mut self, key: SessionKey) -> Option<Session> {
        self.end_session_as(key, None)
    }

    /// The same for one whose keys are given away.
    pub(super) fn end_established(&mut self, key: SessionKey, plan: Arc<Plan>) {
        let since = self.now;
        self.end_session_as(key, Some(Standing { plan, since }));
    }

    fn end_session_as(&mut self, key: SessionKey, standing: Option<Standing>) -> Option<Session> {
        let is_established = standing.is_some();
        if let Some(connection) = self.connections.get_mut(&key.conn) {
            connection.past.insert(key.session, standing);
        }
        self.leave_engine(key);
        let session = self.sessions.remove(&key)?;
        if session.engine.is_some() && !is_established {
            self.tell_engine(key, EngineCommand::Forget);
        }
        match &session.stage {
            Stage::ExpectJudgement(_)
            | Stage::ExpectEngine { .. }
            | Stage::ExpectRelease { .. } => {}
            Stage::ExpectCard { plan, .. } => {
                if let Some(card) = self.cards.get_mut(&plan.grant.seid) {
                    card.queue.remove(key);
                }
            }
            Stage::ExpectKeys { plan } => self.give_up_use(&plan.grant.seid, key),
        }
        Some(session)
    }

    fn give_up_use(&mut self, seid: &Seid, key: SessionKey) {
        let Some(running) = self.use_of(seid, key) else {
            return;
        };
        let use_id = running.id;
        running.key = None;
        if running.step == UseStep::ExpectJudgement {
            // The worker never heard of it.
            let now = self.now.monotonic;
            if let Some(card) = self.cards.get_mut(seid) {
                // It has done nothing.
                card.release(use_id, now);
            }
        } else {
            self.order(seid, WorkerCommand::Cancel { use_id });
        }
    }

    /// Counts and records a no.
    pub(super) fn note_refusal(
        &mut self,
        domid: DomId,
        domain: Option<DomainUuid>,
        refusal: &Refusal,
        seid: Option<&Seid>,
        server_name: Option<String>,
    ) {
        debug!(%domid, code = %refusal.code, reason = refusal.reason, "refused");
        self.counters.refused += 1;
        self.last_refusals.note(domid, refusal, self.now.unix);
        let refusals = Refusals {
            domid,
            domain,
            code: refusal.code,
            count: 1,
            reason: refusal.reason.clone(),
            seid: seid.cloned(),
            server_name,
        };
        if let Some(record) = self.account.refusals.note(refusals, self.now.monotonic) {
            self.audit(record);
        }
    }
}

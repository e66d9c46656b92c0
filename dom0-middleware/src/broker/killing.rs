//! A session that the operator ends.

use proto::agent::{Dom0Message, RefusalCode};

use super::account::millis;
use super::action::Action;
use super::connection::Standing;
use super::core::Broker;
use super::plan::Plan;
use super::refusal::Refusal;
use super::session::SessionKey;
use crate::audit::{AuditEvent, Killed};

impl Broker {
    /// Ends a session whatever it waits for. One in progress leaves its card; of an established one
    /// the guest is told, whose agent shuts the connection. One that is not known is left alone.
    pub(super) fn on_kill(&mut self, key: SessionKey) {
        if self.sessions.contains_key(&key) {
            self.kill_in_progress(key);
            return;
        }
        let connection = self.connections.get_mut(&key.conn);
        let standing = connection.and_then(|c| c.past.take_established(key.session));
        if let Some(standing) = standing {
            self.kill_established(key, &standing);
        }
    }

    fn kill_in_progress(&mut self, key: SessionKey) {
        let now = self.now.monotonic;
        let Some(session) = self.sessions.get(&key) else {
            return;
        };
        let plan = session.plan().map(|plan| &**plan);
        let killed = Killed {
            session: key.to_string(),
            domid: session.peer.domid,
            domain: session.peer.made_for,
            seid: plan.map(|plan| plan.grant.seid.clone()),
            identity: plan.map(|plan| plan.grant.identity.clone()),
            server_name: session.server_name.clone(),
            established: false,
            lasted_ms: millis(now.saturating_duration_since(session.since.monotonic)),
        };
        self.audit(AuditEvent::SessionKilled(Box::new(killed)));
        self.refuse(key, refusal());
    }

    fn kill_established(&mut self, key: SessionKey, standing: &Standing) {
        let now = self.now.monotonic;
        let Plan {
            grant, server_name, ..
        } = &*standing.plan;
        let killed = Killed {
            session: key.to_string(),
            domid: grant.admission.domid,
            domain: grant.admission.domain,
            seid: Some(grant.seid.clone()),
            identity: Some(grant.identity.clone()),
            server_name: server_name.clone(),
            established: true,
            lasted_ms: millis(now.saturating_duration_since(standing.since.monotonic)),
        };
        self.audit(AuditEvent::SessionKilled(Box::new(killed)));
        self.act(Action::WithdrawKeys { conn: key.conn });
        let message = refusal().message(Some(key.session));
        self.send(key.conn, Dom0Message::Refused(message));
    }
}

fn refusal() -> Refusal {
    Refusal::of_wish(RefusalCode::Policy, "ended by the administrator")
}

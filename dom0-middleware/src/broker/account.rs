//! What the audit is told of guests and their sessions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::SessionId;
use tracing::debug;

use super::coalesced::{Coalesced, MAX_SESSIONS};
use super::connection::{Phase, Standing};
use super::core::Broker;
use super::event::{ConnId, Peer};
use super::plan::Plan;
use super::session::{Session, SessionKey, Stage};
use crate::audit::{
    Admitted, AuditEvent, ChannelClosed, ChannelEnd, Closed, ClosedBy, RacsClosed, RacsConnected,
    Refusals, SessionFacts,
};
use crate::mapping::{Admission, Reason};

/// Records of which a guest could have many.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) refusals: Coalesced<Refusals>,
    admissions: Coalesced<Admitted>,
    channels: Coalesced<ChannelClosed>,
    pub(super) racs_connected: Coalesced<RacsConnected>,
    pub(super) racs_closed: Coalesced<RacsClosed>,
}

impl Account {
    /// What must be recorded because its time is over.
    pub(super) fn due(&mut self, now: Instant) -> Vec<AuditEvent> {
        let mut records = self.admissions.due(now);
        records.extend(self.refusals.due(now));
        records.extend(self.channels.due(now));
        records.extend(self.racs_connected.due(now));
        records.extend(self.racs_closed.due(now));
        records
    }

    /// Everything that was counted and not recorded.
    pub(super) fn drain(&mut self) -> Vec<AuditEvent> {
        let mut records = self.admissions.drain();
        records.extend(self.refusals.drain());
        records.extend(self.channels.drain());
        records.extend(self.racs_connected.drain());
        records.extend(self.racs_closed.drain());
        records
    }

    /// When [`Self::due`] must be asked.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let next = [
            self.admissions.next_timeout(),
            self.refusals.next_timeout(),
            self.channels.next_timeout(),
            self.racs_connected.next_timeout(),
            self.racs_closed.next_timeout(),
        ];
        next.into_iter().flatten().min()
    }
}

impl Broker {
    /// A guest was let in.
    pub(super) fn note_admission(&mut self, conn: ConnId, admission: &Admission) {
        let right = self.connections.get(&conn).map(|c| &c.right);
        let token = right.and_then(|right| right.token.as_deref());
        debug!(%conn, domid = %admission.domid, domain = %admission.domain,
              name = admission.name, "guest admitted");
        let admitted = Admitted {
            domid: admission.domid,
            domain: admission.domain,
            name: admission.name.clone(),
            token: token.into(),
            count: 1,
        };
        let now = self.now.monotonic;
        if let Some(record) = self.account.admissions.note(admitted, now) {
            self.audit(record);
        }
    }

    /// A connection ends; what nobody will hear of any more is said with it. One that was not let
    /// in has its refusal on record, or has asked for nothing.
    pub(super) fn note_channel_end(&mut self, conn: ConnId, by: ChannelEnd) {
        let Some(connection) = self.connections.get(&conn) else {
            return;
        };
        if connection.phase != Phase::Admitted {
            return;
        }
        let Peer {
            domid, made_for, ..
        } = connection.peer;
        let standing = connection.past.established();
        let name = |(session, _)| SessionKey { conn, session }.to_string();
        let closed = ChannelClosed {
            domid,
            domain: made_for,
            by,
            count: 1,
            sessions: standing.map(name).collect(),
            more_sessions: 0,
        };
        let now = self.now.monotonic;
        if let Some(record) = self.account.channels.note(closed, now) {
            self.audit(record);
        }
    }

    /// What a connection was let in with, or a binding that it used, ended; and with it these
    /// established sessions, and so many in progress.
    pub(super) fn note_right_end(
        &mut self,
        conn: ConnId,
        reason: &Reason,
        established: &[SessionId],
        in_progress: usize,
    ) {
        let Some(peer) = self.connections.get(&conn).map(|c| c.peer) else {
            return;
        };
        let named = established.iter().take(MAX_SESSIONS);
        let named = named.map(|&session| SessionKey { conn, session }.to_string());
        self.audit(AuditEvent::RightEnded {
            domid: peer.domid,
            domain: peer.made_for,
            code: reason.code(),
            reason: reason.to_string(),
            sessions: established.len() + in_progress,
            established: named.collect(),
        });
    }

    /// A handshake took its card.
    pub(super) fn note_opened(&mut self, key: SessionKey, plan: &Plan) {
        self.audit(AuditEvent::SessionOpened(Box::new(facts(key, plan))));
    }

    /// A guest says that an established session ended.
    pub(super) fn note_closed(
        &mut self,
        key: SessionKey,
        standing: &Standing,
        alert: Option<String>,
    ) {
        let by = match alert {
            Some(_) => ClosedBy::ServerAlert,
            None => ClosedBy::Guest,
        };
        let now = self.now.monotonic;
        let closed = Closed {
            facts: facts(key, &standing.plan),
            established: true,
            by,
            alert,
            lasted_ms: millis(now.saturating_duration_since(standing.since.monotonic)),
        };
        self.audit(AuditEvent::SessionClosed(Box::new(closed)));
    }

    /// A session without keys was given up. One that never had its card is not worth a record: a
    /// guest could make any number of them.
    pub(super) fn note_given_up(&mut self, key: SessionKey, session: &Session) {
        let took_card = match (&session.engine, &session.stage) {
            (Some(engine), _) => engine.took_card,
            (None, stage) => !matches!(stage, Stage::ExpectCard { .. }),
        };
        if !took_card {
            return;
        }
        let plan = match &session.stage {
            Stage::ExpectJudgement(_) => return,
            Stage::ExpectEngine { plan }
            | Stage::ExpectCard { plan, .. }
            | Stage::ExpectKeys { plan }
            | Stage::ExpectRelease { plan, .. } => Arc::clone(plan),
        };
        let by = match self.connections.contains_key(&key.conn) {
            true => ClosedBy::Guest,
            false => ClosedBy::ConnectionLost,
        };
        let now = self.now.monotonic;
        let closed = Closed {
            facts: facts(key, &plan),
            established: false,
            by,
            alert: None,
            lasted_ms: millis(now.saturating_duration_since(session.since.monotonic)),
        };
        self.audit(AuditEvent::SessionClosed(Box::new(closed)));
    }
}

/// Which session that is.
pub(super) fn facts(key: SessionKey, plan: &Plan) -> SessionFacts {
    let grant = &plan.grant;
    SessionFacts {
        session: key.to_string(),
        domid: grant.admission.domid,
        domain: grant.admission.domain,
        name: grant.admission.name.clone(),
        seid: grant.seid.clone(),
        identity: grant.identity.clone(),
        server_name: plan.server_name.clone(),
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

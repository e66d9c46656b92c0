//! Rights that begin and end: bindings, tokens, and what rests on them.
//!
//! When a right ends, what waits or runs on it is refused, no key leaves, and the guest is told in
//! the same step: its agent shuts the connections that were made with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use proto::agent::Dom0Message;
use proto::id::DomainUuid;
use tracing::{error, info};

use super::action::Action;
use super::connection::{Phase, Speaks};
use super::core::Broker;
use super::engine::Unresumable;
use super::event::ConnId;
use super::plan::Plan;
use super::refusal::Refusal;
use super::session::{Session, SessionKey};
use crate::card::{Trust, WorkerCommand};
use crate::mapping::{Binding, BindingId, Reason};
use crate::time::UnixTime;

impl Broker {
    /// A binding was made.
    pub(super) fn on_bound(&mut self, binding: Binding, trust: Arc<Trust>) {
        let (domain, seid) = (binding.domain, binding.seid.clone());
        match self.table.insert(binding) {
            Ok(id) => {
                info!(%domain, %seid, "bound");
                self.trust.insert(id, trust);
                // What the card remembers was made for whoever had it before.
                self.order(&seid, WorkerCommand::ForgetSession);
                self.forget_resumption(Unresumable::Domain(domain));
                if !self.is_in_maintenance(&seid) {
                    self.recall(&seid);
                }
                self.end_racs_of(domain, &Reason::BindingsChanged);
            }
            // Whoever makes bindings looks at the table first.
            Err(why) => error!(%domain, %seid, %why, "the binding cannot be made"),
        }
    }

    /// A binding was taken away.
    pub(super) fn on_unbound(&mut self, id: BindingId) {
        self.trust.remove(&id);
        let Some(binding) = self.table.remove(id) else {
            return;
        };
        info!(domain = %binding.domain, seid = %binding.seid, "unbound");
        self.end_racs_of(binding.domain, &Reason::BindingRemoved);
        let is_last = self.table.of_domain(binding.domain).next().is_none();
        for conn in self.admitted_of(binding.domain) {
            self.end_sessions_under(conn, id, is_last);
        }
        self.order(&binding.seid, WorkerCommand::ForgetSession);
        self.forget_resumption(Unresumable::Domain(binding.domain));
    }

    /// Ends what one connection has under a binding, or everything when it `is_last`.
    fn end_sessions_under(&mut self, conn: ConnId, id: BindingId, is_last: bool) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let under = |plan: &Plan| plan.grant.binding == id;
        let reason = Reason::BindingRemoved;
        // A session that nobody remembers cannot be named: then all of them end.
        let is_all = is_last || !connection.past.is_complete();
        let established = if is_all {
            let established = connection.past.take_all_established();
            let code = reason.code();
            self.act(Action::WithdrawKeys { conn });
            self.send(conn, Dom0Message::Revoked { code });
            established
        } else {
            let established = connection.past.take_established_where(under);
            if !established.is_empty() {
                self.act(Action::WithdrawKeys { conn });
            }
            for session in &established {
                let refusal = Refusal::from(reason.clone());
                self.send(conn, Dom0Message::Refused(refusal.message(Some(*session))));
            }
            established
        };
        let rests_on_it = |key: &SessionKey| {
            let session = self.sessions.get(key);
            let plan = session.and_then(Session::plan);
            is_all || plan.is_some_and(|plan| plan.grant.binding == id)
        };
        let ended: Vec<SessionKey> = self.sessions_of(conn);
        let ended: Vec<SessionKey> = ended.into_iter().filter(rests_on_it).collect();
        if !established.is_empty() || !ended.is_empty() {
            self.note_right_end(conn, &reason, &established, ended.len());
        }
        for key in ended {
            self.refuse(key, reason.clone().into());
        }
    }

    /// A token was revoked.
    pub(super) fn on_token_revoked(&mut self, cti: [u8; 16]) {
        self.revoked.insert(cti);
        let shows_it = |conn: &ConnId| {
            let token = self
                .connections
                .get(conn)
                .and_then(|c| c.right.token.as_ref());
            token.is_some_and(|token| token.cti == cti)
        };
        let conns: Vec<ConnId> = self.connections.keys().copied().filter(shows_it).collect();
        if conns.is_empty() {
            // Whoever has shown it may come back with another one, and must not go on with what was
            // made under this one. Nobody here knows who that was.
            let bound: BTreeSet<DomainUuid> = self.table.iter().map(|(_, b)| b.domain).collect();
            for domain in bound {
                self.forget_made_for(domain);
            }
        }
        for conn in conns {
            self.end_right(conn, &Reason::TokenRevoked);
        }
    }

    /// Older tokens of a domain do not count any more.
    pub(super) fn on_tokens_from(&mut self, domain: DomainUuid, from: UnixTime) {
        let floor = self.tokens_from.entry(domain).or_default();
        *floor = from.max(*floor);
        // Those who have shown an older one may be away.
        self.forget_made_for(domain);
        for conn in self.admitted_of(domain) {
            let token = self
                .connections
                .get(&conn)
                .and_then(|c| c.right.token.as_ref());
            let Some(iat) = token.map(|token| token.iat) else {
                continue;
            };
            if iat < from {
                self.end_right(conn, &Reason::TokenTooOld { iat, from });
            }
        }
    }

    /// A domain is let in until `until`. If the right that it was let in with before has ended by itself
    /// while nobody was here to see that, what was made under it ends now.
    pub(super) fn note_right(&mut self, domain: DomainUuid, until: Option<UnixTime>) {
        let before = match until {
            Some(until) => {
                let last = self.rights_until.get(&domain).copied();
                let latest = last.map_or(until, |last| last.max(until));
                self.rights_until.insert(domain, latest);
                last
            }
            None => self.rights_until.remove(&domain),
        };
        if before.is_some_and(|before| before <= self.now.unix) {
            self.forget_made_for(domain);
        }
    }

    /// When to look whether a right has ended by itself.
    pub(super) fn right_timeout(&self) -> Option<Instant> {
        let rights = self.connections.values().map(|c| &c.right);
        rights
            .filter_map(|right| right.next_timeout(self.now))
            .min()
    }

    /// Ends the rights whose time is over.
    pub(super) fn check_rights(&mut self) {
        let now = self.now.unix;
        let over: Vec<(ConnId, UnixTime)> = self
            .connections
            .iter()
            .filter(|(_, c)| c.right.is_over(now))
            .filter_map(|(conn, c)| Some((*conn, c.right.until?)))
            .collect();
        for (conn, exp) in over {
            self.end_right(conn, &Reason::TokenExpired { exp });
        }
    }

    /// Ends what a connection was let in with. The connection stays: the guest may show another
    /// token on it, and can do nothing before it does.
    fn end_right(&mut self, conn: ConnId, reason: &Reason) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let peer = connection.peer;
        if connection.speaks == Speaks::Racs {
            // It may be the only one that shows the token now, and was not when sessions were made.
            self.forget_made_for(peer.made_for);
            return self.end_racs(conn, reason);
        }
        if std::mem::replace(&mut connection.right.ended, true) {
            return;
        }
        let established = connection.past.take_all_established();
        let code = reason.code();
        info!(%conn, domid = %peer.domid, domain = %peer.made_for, %reason, "right ended");
        self.act(Action::WithdrawKeys { conn });
        self.send(conn, Dom0Message::Revoked { code });
        self.forget_made_for(peer.made_for);
        let in_progress = self.sessions_of(conn);
        self.note_right_end(conn, reason, &established, in_progress.len());
        for key in in_progress {
            self.refuse(key, reason.clone().into());
        }
    }

    /// The connections of a domain that were let in.
    fn admitted_of(&self, domain: DomainUuid) -> Vec<ConnId> {
        let connections = self.connections.iter();
        connections
            .filter(|(_, c)| c.peer.made_for == domain && c.phase == Phase::Admitted)
            .map(|(conn, _)| *conn)
            .collect()
    }
}

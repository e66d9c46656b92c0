//! Guests that speak RACS on their channel: let in as for `hello`, and for as long.
//!
//! Such a connection has no sessions and nothing is asked of it: when its right ends, or the bindings of
//! its domain become others, it is told and closed.

use std::sync::Arc;

use proto::agent::{Dom0Message, RefusalCode};
use proto::id::{DomId, DomainUuid, Seid};
use proto::racs::AllowList;

use super::action::Action;
use super::connection::{Connection, Phase, Speaks};
use super::core::Broker;
use super::event::{ConnId, Peer};
use super::reads::Question;
use super::refusal::Refusal;
use crate::audit::{ChannelEnd, RacsClosed, RacsConnected};
use crate::mapping::{Admission, BindingId, Decision, DomainFact, Reason, ShownToken, judge_raw};

/// A guest that may send raw APDUs, and to which cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RacsGuest {
    /// The domid of its channel.
    pub domid: DomId,
    /// The domain.
    pub domain: DomainUuid,
    /// Its name.
    pub name: String,
    /// Its cards, with what may be sent to each.
    pub cards: Vec<(Seid, Arc<AllowList>)>,
}

impl Broker {
    /// A guest whose channel speaks RACS has said its first line, which shows `token`.
    pub(super) fn on_racs_hello(&mut self, conn: ConnId, token: ShownToken) {
        let Some(connection) = self.connections.get(&conn) else {
            return;
        };
        let Phase::ExpectHello { until } = connection.phase else {
            self.end_connection(conn, Refusal::protocol("more than one first line"));
            return;
        };
        let domid = connection.peer.domid;
        let same =
            |other: &&Connection| other.peer.domid == domid && matches!(other.speaks, Speaks::Racs);
        let others = self.connections.values().filter(same).count();
        if others >= self.limits.racs_per_domain {
            let why = "too many RACS connections of this domain";
            self.end_connection(conn, Refusal::of_wish(RefusalCode::Limit, why));
            return;
        }
        let now = self.now.monotonic;
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.heard(now);
            connection.phase = Phase::ExpectJudgement { until };
            connection.speaks = Speaks::Racs;
        }
        self.ask(conn, Question::RacsHello(token));
    }

    /// The judgement over it: the same facts as for `hello`, and a binding that allows raw APDUs. `Err`
    /// ends the channel.
    pub(super) fn judge_racs_hello(
        &mut self,
        conn: ConnId,
        peer: Peer,
        domain: &DomainFact,
        token: &ShownToken,
    ) -> Result<(), Reason> {
        let admission = match self.admission(peer, domain, token) {
            Decision::Allow(admission) => admission,
            Decision::Refuse(reason) => return Err(reason),
        };
        let cards = self.raw_cards(peer, domain, token)?;
        if cards.is_empty() {
            let why = "no binding of this domain allows raw APDUs";
            self.end_connection(conn, Refusal::of_wish(RefusalCode::Policy, why));
            return Ok(());
        }
        self.let_in(conn, peer, token, &admission);
        self.note_racs_guest(&admission);
        let guest = RacsGuest {
            domid: admission.domid,
            domain: admission.domain,
            name: admission.name,
            cards,
        };
        self.act(Action::AdmitRacs { conn, guest });
        Ok(())
    }

    /// The cards to which a guest may send raw APDUs with this token. `Err` is what speaks against all
    /// of them, if there are any.
    fn raw_cards(
        &self,
        peer: Peer,
        domain: &DomainFact,
        token: &ShownToken,
    ) -> Result<Vec<(Seid, Arc<AllowList>)>, Reason> {
        let bindings = self.table.of_domain(peer.made_for);
        let raw = bindings.filter(|(_, binding)| binding.raw_apdu.is_some());
        let mut cards: Vec<(Seid, Arc<AllowList>)> = Vec::new();
        let mut refused = None;
        for (id, binding) in raw {
            let seid = &binding.seid;
            let Some(list) = self.table.raw_apdu(peer.made_for, seid) else {
                continue;
            };
            match self.raw_judgement(id, peer, domain, token) {
                Decision::Allow(_) if cards.iter().any(|(known, _)| known == seid) => {}
                Decision::Allow(_) => cards.push((seid.clone(), Arc::clone(list))),
                Decision::Refuse(reason) => refused = Some(reason),
            }
        }
        match refused.filter(|_| cards.is_empty()) {
            Some(reason) => Err(reason),
            None => Ok(cards),
        }
    }

    /// The judgement over raw APDUs under one binding.
    pub(super) fn raw_judgement(
        &self,
        binding: BindingId,
        peer: Peer,
        domain: &DomainFact,
        token: &ShownToken,
    ) -> Decision<Admission> {
        let bindings = self.binding_facts(peer.made_for);
        let facts = self.facts(peer, domain, token, &bindings);
        judge_raw(&facts, binding, self.now.unix)
    }

    /// The bindings of a domain are others now: what its RACS connections were let in for may be none
    /// of them.
    pub(super) fn end_racs_of(&mut self, domain: DomainUuid, reason: &Reason) {
        let of_domain = |connection: &Connection| {
            connection.peer.made_for == domain
                && matches!(connection.speaks, Speaks::Racs)
                && connection.phase == Phase::Admitted
        };
        let connections = self.connections.iter();
        let conns: Vec<ConnId> = connections
            .filter(|(_, connection)| of_domain(connection))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in conns {
            self.end_racs(conn, reason);
        }
    }

    /// The right of a RACS connection has ended.
    pub(super) fn end_racs(&mut self, conn: ConnId, reason: &Reason) {
        self.note_right_end(conn, reason, &[], 0);
        let refusal = Refusal::from(reason.clone());
        self.send(conn, Dom0Message::Refused(refusal.message(None)));
        self.act(Action::Close { conn });
        self.forget_connection(conn, ChannelEnd::RightEnded);
    }

    fn note_racs_guest(&mut self, admission: &Admission) {
        let connected = RacsConnected {
            user: admission.name.clone(),
            domain: Some(admission.domain),
            address: address(admission.domid),
            is_listed: true,
            count: 1,
        };
        let now = self.now.monotonic;
        if let Some(record) = self.account.racs_connected.note(connected, now) {
            self.audit(record);
        }
    }

    /// What a guest has done over RACS is over.
    pub(super) fn on_racs_ended(&mut self, conn: ConnId, end: RacsEnd) {
        let RacsEnd {
            domid,
            domain,
            name,
            apdus_refused,
            why,
        } = end;
        let closed = RacsClosed {
            user: name,
            domain: Some(domain),
            address: address(domid),
            why,
            apdus_refused,
            count: 1,
        };
        let now = self.now.monotonic;
        if let Some(record) = self.account.racs_closed.note(closed, now) {
            self.audit(record);
        }
        if self.stopping {
            // Nothing follows with which it could be counted.
            self.audit_rest();
        }
        self.forget_connection(conn, ChannelEnd::Lost);
    }
}

/// How it ended that a guest spoke RACS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RacsEnd {
    /// The domid of its channel.
    pub domid: DomId,
    /// The domain.
    pub domain: DomainUuid,
    /// Its name.
    pub name: String,
    /// APDUs that the guest may not send, and sent.
    pub apdus_refused: u64,
    /// Why it ended.
    pub why: String,
}

fn address(domid: DomId) -> String {
    format!("domid {domid}")
}

//! The judgements: the facts are put together, the policy decides, the consequence is drawn.

use std::sync::Arc;

use proto::agent::{Dom0Message, IdentityInfo, MAX_FRAME, Welcome, WelcomeLimits};
use proto::agent::{PROTOCOL_VERSION, RefusalCode};
use proto::id::DomainUuid;
use proto::tls::ProtocolVersion;
use tracing::debug;

use super::action::Action;
use super::card::Presence;
use super::connection::{Phase, Right};
use super::core::Broker;
use super::event::{ConnId, Peer, ReadId, TokenRule};
use super::reads::Question;
use super::refusal::Refusal;
use crate::mapping::{
    Admission, Binding, BindingFact, ChannelFact, Decision, DomainFact, Facts, Grant, HostFact,
    IdentityFact, Reason, ShownToken, TokenFact, Wish, admit, judge,
};

impl Broker {
    /// Puts a judgement aside until the domain behind the connection is known.
    pub(super) fn ask(&mut self, conn: ConnId, question: Question) {
        let Some(connection) = self.connections.get(&conn) else {
            return;
        };
        let domid = connection.peer.domid;
        let until = self.now.monotonic + self.limits.domain_read;
        let read = self.reads.add(conn, question, until);
        self.act(Action::ReadDomain { read, domid });
    }

    /// Takes a judgement up again. What it was for may be over by now: then it has no consequence.
    pub(super) fn on_domain_read(&mut self, read: ReadId, domain: &DomainFact) {
        let Some(pending) = self.reads.take(read) else {
            return;
        };
        let conn = pending.conn;
        let Some(peer) = self.connections.get(&conn).map(|c| c.peer) else {
            return;
        };
        let ended = match pending.question {
            Question::Hello(token) => self.judge_hello(conn, peer, domain, &token),
            Question::RacsHello(token) => self.judge_racs_hello(conn, peer, domain, &token),
            Question::Lease(lease) => self.judge_lease(lease, conn, peer, domain),
            Question::Identities => self.judge_identities(conn, peer, domain),
            Question::Open(key) => self.judge_open(key, peer, domain),
            Question::Start { seid, use_id } => self.judge_start(&seid, use_id, peer, domain),
            Question::Release { key, session } => self.judge_release(key, session, peer, domain),
        };
        if let Err(reason) = ended {
            self.end_connection(conn, reason.into());
        }
    }

    /// The guest's `hello`. `Err` ends the channel.
    fn judge_hello(
        &mut self,
        conn: ConnId,
        peer: Peer,
        domain: &DomainFact,
        token: &ShownToken,
    ) -> Result<(), Reason> {
        let admission = match self.admission(peer, domain, token) {
            Decision::Allow(admission) => admission,
            Decision::Refuse(reason) => {
                let connection = self.connections.get(&conn);
                if reason.ends_channel() || connection.is_none_or(|c| c.phase != Phase::Admitted) {
                    return Err(reason);
                }
                // A later hello that is not good changes nothing.
                let refusal = Refusal::from(reason);
                self.note_refusal(peer.domid, Some(peer.made_for), &refusal, None, None);
                self.send(conn, Dom0Message::Refused(refusal.message(None)));
                return Ok(());
            }
        };
        self.let_in(conn, peer, token, &admission);
        let count = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        let welcome = Welcome {
            version: PROTOCOL_VERSION,
            domain: admission.domain,
            token_expires: admission.until.map(|until| until.as_secs()),
            limits: WelcomeLimits {
                handshakes: count(self.limits.handshakes_per_domain),
                handshake_bytes: self.limits.handshake_bytes as u64,
                frame: count(self.limits.frame_bytes.min(MAX_FRAME)),
            },
        };
        self.send(conn, Dom0Message::Welcome(welcome));
        Ok(())
    }

    /// The right of a connection begins.
    pub(super) fn let_in(
        &mut self,
        conn: ConnId,
        peer: Peer,
        token: &ShownToken,
        admission: &Admission,
    ) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.phase = Phase::Admitted;
            connection.right = Right {
                token: None,
                until: admission.until,
                ended: false,
            };
            if let (TokenRule::Required, ShownToken::Verified(token)) = (peer.token, token) {
                let token = Arc::clone(token);
                connection.right.token = Some(Arc::clone(&token));
                let domid = peer.domid;
                self.act(Action::TokenSeen { domid, token });
            }
        }
        self.note_right(peer.made_for, admission.until);
        self.note_admission(conn, admission);
    }

    /// The guest's question what it may use. `Err` ends the channel.
    fn judge_identities(
        &mut self,
        conn: ConnId,
        peer: Peer,
        domain: &DomainFact,
    ) -> Result<(), Reason> {
        let list = match self.admission(peer, domain, &self.shown(conn)) {
            Decision::Allow(_) => self.identities(peer.made_for),
            Decision::Refuse(reason) if reason.ends_channel() => return Err(reason),
            // The answer to who may use nothing.
            Decision::Refuse(reason) => {
                debug!(%conn, %reason, "identities withheld");
                Vec::new()
            }
        };
        self.send(conn, Dom0Message::Identities(list));
        Ok(())
    }

    /// The judgement over a whole connection.
    pub(super) fn admission(
        &self,
        peer: Peer,
        domain: &DomainFact,
        token: &ShownToken,
    ) -> Decision<Admission> {
        let bindings = self.binding_facts(peer.made_for);
        admit(&self.facts(peer, domain, token, &bindings), self.now.unix)
    }

    /// The judgement over one handshake.
    pub(super) fn judgement(
        &self,
        conn: ConnId,
        peer: Peer,
        domain: &DomainFact,
        wish: Wish<'_>,
    ) -> Result<Grant, Reason> {
        let bindings = self.binding_facts(peer.made_for);
        let token = self.shown(conn);
        let facts = self.facts(peer, domain, &token, &bindings);
        match judge(&facts, wish, self.now.unix) {
            Decision::Allow(grant) => Ok(grant),
            Decision::Refuse(reason) => Err(reason),
        }
    }

    /// What a connection was let in with.
    pub(super) fn shown(&self, conn: ConnId) -> ShownToken {
        let connection = self.connections.get(&conn);
        match connection.and_then(|c| c.right.token.as_ref()) {
            Some(token) => ShownToken::Verified(Arc::clone(token)),
            None => ShownToken::Missing,
        }
    }

    /// All that is known about a guest at this moment.
    pub(super) fn facts<'a>(
        &'a self,
        peer: Peer,
        domain: &'a DomainFact,
        token: &'a ShownToken,
        bindings: &'a [BindingFact],
    ) -> Facts<'a> {
        let token = match (peer.token, token) {
            (TokenRule::SwitchedOff, _) => TokenFact::SwitchedOff,
            (TokenRule::Required, ShownToken::Missing) => TokenFact::Missing,
            (TokenRule::Required, ShownToken::Rejected(why)) => TokenFact::Rejected(why),
            (TokenRule::Required, ShownToken::Verified(token)) => TokenFact::Verified {
                token,
                revoked: self.revoked.contains(&token.cti),
            },
        };
        Facts {
            channel: ChannelFact {
                domid: peer.domid,
                made_for: peer.made_for,
            },
            domain,
            token,
            host: HostFact {
                issuers: &self.issuers,
            },
            bindings,
        }
    }

    /// The fourth fact of a domain.
    pub(crate) fn binding_facts(&self, domain: DomainUuid) -> Vec<BindingFact> {
        let bindings = self.table.of_domain(domain);
        bindings
            .map(|(id, binding)| {
                let card = self.cards.get(&binding.seid);
                let mut fact = binding.fact(id, card.and_then(|card| card.holdings.as_deref()));
                let floor = self.tokens_from.get(&domain).copied().unwrap_or_default();
                fact.tokens_from = fact.tokens_from.max(floor);
                fact
            })
            .collect()
    }

    /// What a domain may use right now: identities of cards that are there.
    fn identities(&self, domain: DomainUuid) -> Vec<IdentityInfo> {
        let bindings = self.table.of_domain(domain);
        bindings
            .filter_map(|(id, binding)| {
                let card = self.cards.get(&binding.seid)?;
                let Presence::Present { features, .. } = &card.presence else {
                    return None;
                };
                let holdings = card.holdings.as_deref()?;
                let IdentityFact::Named(name) = binding.fact(id, Some(holdings)).identity else {
                    return None;
                };
                let held = holdings.iter().find(|holding| holding.name == name)?;
                let certificate = held.certificate.as_ref().or(binding.certificate.as_ref());
                let certificates = certificate.iter().map(|c| c.der().to_vec()).collect();
                Some(IdentityInfo {
                    name,
                    certificates,
                    door: features.door,
                    versions: versions(binding, features.max_version),
                    server_name: features.server_name,
                    alpn: features.alpn,
                })
            })
            .collect()
    }

    /// A no that ends the channel goes up; any other concerns one session.
    pub(super) fn refusal(reason: Reason) -> Result<Refusal, Reason> {
        match reason.ends_channel() {
            true => Err(reason),
            false => Ok(reason.into()),
        }
    }
}

/// The versions a handshake can end in.
fn versions(binding: &Binding, max: ProtocolVersion) -> Vec<u16> {
    [
        ProtocolVersion::TLS1_0,
        ProtocolVersion::TLS1_1,
        ProtocolVersion::TLS1_2,
        ProtocolVersion::TLS1_3,
    ]
    .into_iter()
    .filter(|version| (binding.terms.min_version..=max).contains(version))
    .map(|version| version.0)
    .collect()
}

/// For a domain that may use nothing because the operator forgot the binding's trust.
pub(super) fn without_trust() -> Refusal {
    Refusal::new(RefusalCode::Internal, "the binding has no trust")
}

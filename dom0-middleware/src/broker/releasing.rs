//! The keys of a session: judged once more, recorded, and only then given away.

use std::sync::Arc;
use std::time::Duration;

use proto::agent::{Dom0Message, EstablishedFlags, EstablishedMessage, RefusalCode};
use proto::id::Seid;
use proto::tls::{Established, ProtocolVersion};
use sha2::{Digest, Sha256};

use super::account::{facts, millis};
use super::action::Action;
use super::card::Done;
use super::core::Broker;
use super::event::Peer;
use super::refusal::Refusal;
use super::session::{Session, SessionKey, Stage};
use crate::audit::{self, AuditEvent, SessionFacts};
use crate::card::{CardSession, UseId};
use crate::hex::hex;
use crate::mapping::{DomainFact, Reason, Wish};

/// The longest certificate chain a guest is given, in bytes; of a longer one only the leaf.
const MAX_CHAIN: usize = 32 << 10;

impl Broker {
    /// A handshake succeeded. Its keys go no further until the last judgement.
    pub(super) fn on_established(&mut self, seid: &Seid, use_id: UseId, keys: Box<CardSession>) {
        let card = self.cards.get_mut(seid);
        let Some(running) = card.and_then(|card| card.running(use_id)) else {
            return;
        };
        running.done = Some(Done {
            resumed: keys.abbreviated,
            card_time: keys.card_time,
        });
        // Given up meanwhile: the keys are dropped.
        let Some(key) = running.key.take() else {
            return;
        };
        let (plan, waited) = (Arc::clone(&running.plan), running.waited);
        self.await_release(key, plan, waited, keys);
    }

    /// The domain of a session whose keys are here is known. `Err` ends the channel.
    pub(super) fn judge_release(
        &mut self,
        key: SessionKey,
        keys: Box<CardSession>,
        peer: Peer,
        domain: &DomainFact,
    ) -> Result<(), Reason> {
        let Some(Session {
            stage: Stage::ExpectRelease { plan, waited },
            ..
        }) = self.sessions.get(&key)
        else {
            return Ok(());
        };
        let (plan, waited) = (Arc::clone(plan), *waited);
        if let Err(reason) = self.judgement(key.conn, peer, domain, Wish::Same(&plan.grant)) {
            let refusal = Self::refusal(reason)?;
            self.refuse(key, refusal);
            return Ok(());
        }
        if !at_the_beginning(&keys.keys) {
            let no = Refusal::new(RefusalCode::Internal, "wrong sequence numbers");
            self.refuse(key, no);
            return Ok(());
        }
        self.end_established(key, Arc::clone(&plan));
        self.counters.established += 1;
        let token = self
            .connections
            .get(&key.conn)
            .and_then(|c| c.right.token.as_ref());
        let cti = token.map(|token| hex(&token.cti));
        let record = record(facts(key, &plan), cti, &keys, waited);
        self.act(Action::Deliver {
            conn: key.conn,
            record,
            message: Box::new(message(key, *keys, waited)),
        });
        Ok(())
    }

    /// The record of a session could not be written, so its keys stayed here.
    pub(super) fn on_audit_failed(&mut self, key: SessionKey) {
        self.counters.established = self.counters.established.saturating_sub(1);
        self.counters.refused += 1;
        if let Some(connection) = self.connections.get_mut(&key.conn) {
            // Nobody has its keys: no server can have ended it.
            connection.past.take_established(key.session);
        }
        let no = Refusal::new(RefusalCode::Internal, "the audit cannot be written");
        let message = Dom0Message::Refused(no.message(Some(key.session)));
        if self.connections.contains_key(&key.conn) {
            self.send(key.conn, message);
        }
    }
}

/// Whether exactly the two Finished messages, and in TLS 1.3 nothing, were sealed before.
fn at_the_beginning(keys: &Established) -> bool {
    let sealed = match keys.version {
        ProtocolVersion::TLS1_3 => 0,
        _ => 1,
    };
    (keys.client_sequence, keys.server_sequence) == (sealed, sealed)
}

fn message(key: SessionKey, session: CardSession, waited: Duration) -> EstablishedMessage {
    EstablishedMessage {
        session: key.session,
        keys: session.keys,
        flags: EstablishedFlags {
            abbreviated: session.abbreviated,
            extended_master_secret: session.extended_master_secret,
            encrypt_then_mac: session.encrypt_then_mac,
        },
        consumed: session.consumed,
        // It is one of those the guest offered as text.
        alpn: session.alpn.and_then(|name| String::from_utf8(name).ok()),
        peer_certificates: short_chain(session.peer_certificates),
        card_ms: millis(session.card_time),
        wait_ms: millis(waited),
    }
}

fn record(
    facts: SessionFacts,
    cti: Option<String>,
    session: &CardSession,
    waited: Duration,
) -> AuditEvent {
    let leaf = session.peer_certificates.first();
    AuditEvent::SessionEstablished(Box::new(audit::Established {
        facts,
        cti,
        version: session.keys.version.to_string(),
        cipher_suite: session.keys.cipher_suite.to_string(),
        abbreviated: session.abbreviated,
        peer_sha256: leaf.map(|der| hex(&Sha256::digest(der))),
        card_us: micros(session.card_time),
        wait_us: micros(waited),
    }))
}

/// A chain that fits a message: whole, or its leaf, or nothing.
fn short_chain(mut chain: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let length = |chain: &[Vec<u8>]| chain.iter().map(Vec::len).sum::<usize>();
    if length(&chain) > MAX_CHAIN {
        chain.truncate(1);
    }
    if length(&chain) > MAX_CHAIN {
        chain.clear();
    }
    chain
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

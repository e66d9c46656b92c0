//! The broker's state, what it is told, and its timers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use proto::agent::{AgentMessage, Dom0Message, Door};
use proto::id::{DomainUuid, Seid};

use super::account::Account;
use super::action::Action;
use super::card::Card;
use super::connection::Connection;
use super::event::{ConnId, Event};
use super::guest_wishes::GuestWishes;
use super::last_refusals::LastRefusals;
use super::reads::Reads;
use super::session::{Session, SessionKey};
use super::snapshot::Counters;
use crate::audit::{AuditEvent, ChannelEnd};
use crate::card::{Trust, WorkerCommand};
use crate::limits::Limits;
use crate::mapping::{BindingId, DomainFact, Intermediates, Issuer, ReadFault, Table};
use crate::time::{Now, UnixTime};

/// What a broker starts from.
#[derive(Debug)]
pub struct Setup {
    /// The limits in force.
    pub limits: Limits,
    /// Who has which card.
    pub table: Table,
    /// Whom each binding believes; a binding without an entry is refused.
    pub trust: BTreeMap<BindingId, Arc<Trust>>,
    /// All cards there can be, and which part of a handshake each is to take.
    pub cards: BTreeMap<Seid, Door>,
    /// Those of them that are in maintenance.
    pub maintenance: BTreeSet<Seid>,
    /// What is sent behind the certificates of cards that have room for those alone.
    pub intermediates: BTreeMap<Seid, Intermediates>,
    /// The HV certificates of this host, whose tokens count.
    pub issuers: Vec<Issuer>,
    /// The numbers of the tokens that were revoked.
    pub revoked: BTreeSet<[u8; 16]>,
    /// From when on the tokens of a domain count.
    pub tokens_from: BTreeMap<DomainUuid, UnixTime>,
}

/// The deciding core; see the module.
///
/// Call [`Broker::handle`] with everything that happens, [`Broker::handle_timeout`] when the time
/// of [`Broker::next_timeout`] has come, and do what they return, in order.
#[derive(Debug)]
pub struct Broker {
    pub(super) limits: Limits,
    pub(super) table: Table,
    pub(super) trust: BTreeMap<BindingId, Arc<Trust>>,
    pub(super) cards: BTreeMap<Seid, Card>,
    pub(super) issuers: Vec<Issuer>,
    pub(super) revoked: BTreeSet<[u8; 16]>,
    pub(super) tokens_from: BTreeMap<DomainUuid, UnixTime>,
    /// Until when the domains that were let in may be here, those that have left included.
    pub(super) rights_until: BTreeMap<DomainUuid, UnixTime>,
    pub(super) connections: BTreeMap<ConnId, Connection>,
    pub(super) sessions: BTreeMap<SessionKey, Session>,
    pub(super) reads: Reads,
    pub(super) account: Account,
    pub(super) last_refusals: LastRefusals,
    pub(super) counters: Counters,
    pub(super) next_use: u64,
    /// What guests want their own cards for.
    pub(super) guest_wishes: GuestWishes,
    /// When engines have taken too long.
    pub(super) engine_deadlines: BTreeSet<(Instant, SessionKey)>,
    pub(super) stopping: bool,
    /// The time of what is being handled.
    pub(super) now: Now,
    actions: Vec<Action>,
}

impl Broker {
    /// A broker with no card present and no guest connected.
    #[must_use]
    pub fn new(setup: Setup, now: Now) -> Self {
        let mut intermediates = setup.intermediates;
        let card = |(seid, door): (Seid, Door)| {
            let intermediates = intermediates.remove(&seid).unwrap_or_default();
            let mut card = Card::new(&setup.limits, intermediates, door);
            card.maintenance = setup.maintenance.contains(&seid);
            (seid, card)
        };
        Self {
            cards: setup.cards.into_iter().map(card).collect(),
            limits: setup.limits,
            table: setup.table,
            trust: setup.trust,
            issuers: setup.issuers,
            revoked: setup.revoked,
            tokens_from: setup.tokens_from,
            rights_until: BTreeMap::new(),
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            reads: Reads::default(),
            account: Account::default(),
            last_refusals: LastRefusals::default(),
            counters: Counters::default(),
            next_use: 0,
            guest_wishes: GuestWishes::new(),
            engine_deadlines: BTreeSet::new(),
            stopping: false,
            now,
            actions: Vec::new(),
        }
    }

    /// Who has which card now, to look at before a change of it.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Takes in what happened and says what to do.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Connected { conn, peer } => self.on_connected(conn, peer),
            Event::Unidentified {
                conn,
                domid,
                reason,
            } => self.on_unidentified(conn, domid, reason),
            Event::DomainEnded {
                domid,
                domain,
                successor,
            } => self.on_domain_ended(domid, domain, successor),
            Event::Hello { conn, hello, token } => {
                self.on_said(conn, AgentMessage::Hello(hello), token);
            }
            Event::RacsHello { conn, token } => self.on_racs_hello(conn, token),
            Event::RacsEnded { conn, end } => self.on_racs_ended(conn, *end),
            Event::Received { conn, message } => self.on_message(conn, message),
            Event::Garbled { conn, error } => self.on_garbled(conn, error),
            Event::Disconnected { conn } => self.forget_connection(conn, ChannelEnd::Lost),
            Event::Kill { conn, session } => self.on_kill(SessionKey { conn, session }),
            Event::DomainRead { read, domain } => self.on_domain_read(read, &domain),
            Event::Card { seid, report } => self.on_report(&seid, report),
            Event::Engine {
                conn,
                session,
                report,
            } => self.on_engine_report(SessionKey { conn, session }, report),
            Event::AuditFailed { conn, session } => {
                self.on_audit_failed(SessionKey { conn, session });
            }
            Event::LeaseWanted {
                lease,
                seid,
                holder,
            } => self.on_lease_wanted(lease, seid, holder),
            Event::LeaseEnded { lease } => self.on_lease_ended(lease),
            Event::MaintenanceSet { seid, on } => self.on_maintenance(&seid, on),
            Event::Bound { binding, trust } => self.on_bound(binding, trust),
            Event::Unbound { binding } => self.on_unbound(binding),
            Event::TokenRevoked { cti } => self.on_token_revoked(cti),
            Event::TokensFrom { domain, from } => self.on_tokens_from(domain, from),
            Event::Stopping => self.on_stopping(),
        }
        self.finish()
    }

    /// When [`Self::handle_timeout`] must be called if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let connections = self.connections.values();
        let cards = self.cards.values();
        connections
            .filter_map(|connection| connection.next_timeout(&self.limits))
            .chain(self.right_timeout())
            .chain(
                cards
                    .clone()
                    .filter_map(|card| card.use_timeout(&self.limits)),
            )
            .chain(cards.filter_map(|card| card.lease_timeout(&self.limits)))
            .chain(self.guest_lease_timeout())
            .chain(self.engine_deadlines.first().map(|(until, _)| *until))
            .chain(self.reads.next_timeout())
            .chain(self.account.next_timeout())
            .min()
    }

    /// Acts on everything whose time has come and says what to do.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Now) -> Vec<Action> {
        self.now = now;
        for read in self.reads.overdue(now.monotonic) {
            self.on_domain_read(read, &DomainFact::Unreadable(ReadFault::Late));
        }
        self.check_connections();
        self.check_rights();
        self.check_cards();
        self.check_leases();
        self.check_guest_leases();
        self.check_engines();
        for record in self.account.due(now.monotonic) {
            self.audit(record);
        }
        self.finish()
    }

    /// Gives free cards to those who wait, and tells the others where they stand.
    fn finish(&mut self) -> Vec<Action> {
        self.lend_to_guests();
        self.start_next();
        self.tell_places();
        std::mem::take(&mut self.actions)
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn send(&mut self, conn: ConnId, message: Dom0Message) {
        self.act(Action::Send { conn, message });
    }

    pub(super) fn order(&mut self, seid: &Seid, command: WorkerCommand) {
        self.act(Action::Card {
            seid: seid.clone(),
            command,
        });
    }

    pub(super) fn audit(&mut self, record: AuditEvent) {
        self.act(Action::Audit(record));
    }

    /// Everything is given up: sessions first, so that each guest learns why.
    fn on_stopping(&mut self) {
        self.stopping = true;
        let conns: Vec<ConnId> = self.connections.keys().copied().collect();
        for conn in conns {
            self.stop_connection(conn);
        }
        self.end_leases();
        self.audit_rest();
    }

    /// Records what was counted and not recorded yet.
    pub(super) fn audit_rest(&mut self) {
        for record in self.account.drain() {
            self.audit(record);
        }
    }
}

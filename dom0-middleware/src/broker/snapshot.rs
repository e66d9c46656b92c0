//! What the operator sees of the broker. No secret is in reach of it.

use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use serde::{Deserialize, Serialize};

use super::account::millis;
use super::card::{Card, Presence};
use super::connection::{Phase, Speaks};
use super::core::Broker;
use super::pace_view::PacesView;
use super::session::Stage;
use super::session_views::SessionName;
use crate::hex::hex;
use crate::mapping::Certificate;

/// The state of everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// All cards, by SEID.
    pub cards: Vec<CardView>,
    /// All connections of guests.
    pub connections: Vec<ConnectionView>,
    /// Sessions that wait for a card.
    pub waiting: usize,
    /// Sessions that have a card, or make their handshake without it.
    pub running: usize,
    /// The last no to each domain.
    pub refusals: Vec<RefusalView>,
    /// Sums since the start.
    pub counters: Counters,
}

/// Sums since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Sessions whose keys a guest got.
    pub established: u64,
    /// Refusals, of sessions and of connections.
    pub refused: u64,
}

/// The last no to a domain, in full: for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalView {
    /// Its domid.
    pub domid: DomId,
    /// When, as in RFC 3339.
    pub time: String,
    /// What the guest was told.
    pub code: String,
    /// Why.
    pub reason: String,
}

/// One card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardView {
    /// Its name.
    pub seid: Seid,
    /// Whether it can be used.
    pub state: CardState,
    /// Where it is, if not at this host.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub elsewhere: Option<String>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// Its answer to reset.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub atr: Option<String>,
    /// Its profile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub profile: Option<String>,
    /// What it holds.
    pub identities: Vec<IdentityView>,
    /// Who has it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub running: Option<RunningView>,
    /// Whether the operator has taken it from its guests.
    #[serde(default)]
    pub maintenance: bool,
    /// Who has it for raw APDUs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_by: Option<HolderView>,
    /// How many wait for it.
    pub waiting: usize,
    /// How long its work takes.
    #[serde(flatten)]
    pub pace: PacesView,
}

impl CardView {
    /// Whether nothing but the use of the card differs.
    #[must_use]
    pub fn looks_like(&self, other: &Self) -> bool {
        let look = |card: &Self| Self {
            running: None,
            held_by: None,
            waiting: 0,
            pace: PacesView::default(),
            ..card.clone()
        };
        look(self) == look(other)
    }
}

/// Whether a card can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardState {
    /// It is not there.
    Absent,
    /// It is there and cannot be used.
    Unusable,
    /// It does not return from a command.
    Stuck,
    /// It is ready.
    Present,
}

/// One identity of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityView {
    /// Its name.
    pub name: IdentityName,
    /// SHA-256 of its certificate, if the card lets it be read.
    pub certificate_sha256: Option<String>,
    /// The domain it is bound to.
    pub bound_to: Option<DomainUuid>,
}

/// A use of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningView {
    /// The session; absent once it is over and the card only has to come to rest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<SessionName>,
    /// For whom.
    pub domain: DomainUuid,
    /// With which identity.
    pub identity: IdentityName,
    /// With which server.
    pub server_name: String,
    /// For how long already, in milliseconds.
    pub since_ms: u64,
    /// Whether it was given up and only has to end.
    pub given_up: bool,
}

/// A card in somebody's hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderView {
    /// Who.
    pub holder: String,
    /// For how long already, in milliseconds.
    pub since_ms: u64,
    /// Whether it was recalled and has only to come back.
    pub recalled: bool,
}

/// One connection of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// The guest's domid.
    pub domid: DomId,
    /// The domain the channel was made for.
    pub domain: DomainUuid,
    /// Whether it was admitted.
    pub admitted: bool,
    /// Whether it speaks RACS: the guest sends APDUs to its own card.
    #[serde(default)]
    pub racs: bool,
    /// Handshakes in progress.
    pub handshakes: usize,
}

impl Broker {
    /// The state of everything, as of the last event.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let is_waiting = |stage: &Stage| matches!(stage, Stage::ExpectCard { .. });
        let is_running =
            |stage: &Stage| matches!(stage, Stage::ExpectEngine { .. } | Stage::ExpectKeys { .. });
        let stages = || self.sessions.values().map(|session| &session.stage);
        Snapshot {
            cards: self
                .cards
                .iter()
                .map(|(seid, card)| self.card(seid, card))
                .collect(),
            connections: self.connection_views(),
            waiting: stages().filter(|stage| is_waiting(stage)).count(),
            running: stages().filter(|stage| is_running(stage)).count(),
            refusals: self.last_refusals.views(),
            counters: self.counters,
        }
    }

    fn connection_views(&self) -> Vec<ConnectionView> {
        let of = |conn| self.sessions.keys().filter(|key| key.conn == conn).count();
        let connections = self.connections.iter();
        connections
            .map(|(conn, connection)| ConnectionView {
                domid: connection.peer.domid,
                domain: connection.peer.made_for,
                admitted: connection.phase == Phase::Admitted,
                racs: connection.speaks == Speaks::Racs,
                handshakes: of(*conn),
            })
            .collect()
    }

    fn card(&self, seid: &Seid, card: &Card) -> CardView {
        let mut view = CardView {
            seid: seid.clone(),
            state: CardState::Absent,
            elsewhere: None,
            why: None,
            next: None,
            atr: None,
            profile: None,
            identities: Vec::new(),
            running: self.running(card),
            maintenance: card.maintenance,
            held_by: self.held_by(card),
            waiting: card.queue.len(),
            pace: card.pace.view(),
        };
        match &card.presence {
            Presence::Absent => view.why = card.trouble.as_ref().map(ToString::to_string),
            Presence::Unusable(why) => {
                view.state = CardState::Unusable;
                view.why = Some(why.to_string());
                view.next = Some(why.next_step(seid, card.door));
            }
            Presence::Present { atr, profile, .. } => {
                view.state = CardState::Present;
                view.atr = Some(atr.to_string());
                view.profile = Some(profile.clone());
                view.identities = self.identity_views(seid, card);
            }
        }
        if card.is_stuck() {
            view.state = CardState::Stuck;
        }
        view
    }

    /// The certificates of a card that is there, with the identities they belong to.
    pub fn certificates(&self, seid: &Seid) -> impl Iterator<Item = (&IdentityName, &Certificate)> {
        let card = self.cards.get(seid);
        let present = card.filter(|card| matches!(card.presence, Presence::Present { .. }));
        let held = present.and_then(|card| card.holdings.as_deref());
        held.unwrap_or_default().iter().filter_map(|holding| {
            let certificate = holding.certificate.as_ref()?;
            Some((&holding.name, certificate))
        })
    }

    fn identity_views(&self, seid: &Seid, card: &Card) -> Vec<IdentityView> {
        let held = card.holdings.as_deref().unwrap_or_default();
        let bound_to = |name: &IdentityName| {
            let means = |identity: &Option<IdentityName>| match identity {
                Some(bound) => bound == name,
                None => held.len() == 1,
            };
            let mut bindings = self.table.on_card(seid);
            bindings
                .find(|(_, b)| means(&b.identity))
                .map(|(_, b)| b.domain)
        };
        held.iter()
            .map(|holding| IdentityView {
                name: holding.name.clone(),
                certificate_sha256: holding.certificate.as_ref().map(|c| hex(&c.sha256())),
                bound_to: bound_to(&holding.name),
            })
            .collect()
    }

    pub(super) fn held_by(&self, card: &Card) -> Option<HolderView> {
        let lease = card.lease.as_ref()?;
        let since = self.now.monotonic.saturating_duration_since(lease.since);
        Some(HolderView {
            holder: lease.holder.to_string(),
            since_ms: millis(since),
            recalled: lease.recalled.is_some(),
        })
    }

    pub(super) fn running(&self, card: &Card) -> Option<RunningView> {
        let running = card.running.as_ref()?;
        let since = self.now.monotonic.saturating_duration_since(running.since);
        Some(RunningView {
            session: running.key.map(SessionName::from),
            domain: running.domain,
            identity: running.plan.grant.identity.clone(),
            server_name: running.plan.server_name.clone(),
            since_ms: millis(since),
            given_up: running.key.is_none(),
        })
    }
}

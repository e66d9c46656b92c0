//! What the operator sees of sessions and of who waits for which card.

use std::fmt;
use std::str::FromStr;

use proto::id::{DomId, DomainUuid, IdentityName, Seid, SessionId};
use serde::{Deserialize, Serialize};

use super::account::millis;
use super::card::Card;
use super::core::Broker;
use super::event::ConnId;
use super::pace_view::PacesView;
use super::plan::Plan;
use super::session::{Session, SessionKey, Stage};
use super::snapshot::{HolderView, RunningView};

/// Names a session for the operator and in the audit: `3.17` is session 17 of connection 3. No other
/// has the same name in one run of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SessionName {
    /// The connection.
    pub conn: ConnId,
    /// The number the agent gave it there.
    pub session: SessionId,
}

/// A text that names no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a session: \"{0}\"; they look like 3.17, see dom0-middleware session list")]
pub struct NotASession(String);

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.conn, self.session.0)
    }
}

impl FromStr for SessionName {
    type Err = NotASession;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (conn, session) = text.split_once('.')?;
            Some(Self {
                conn: ConnId(conn.parse().ok()?),
                session: SessionId(session.parse().ok()?),
            })
        };
        // One text for each: no signs, no leading zeros.
        let name = parse().filter(|name| name.to_string() == text);
        name.ok_or_else(|| NotASession(text.to_owned()))
    }
}

impl From<SessionName> for String {
    fn from(name: SessionName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for SessionName {
    type Error = NotASession;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Its name.
    pub session: SessionName,
    /// How far it is.
    pub state: SessionState,
    /// The guest's domid.
    pub domid: DomId,
    /// Its UUID.
    pub domain: DomainUuid,
    /// Its name, once the session was judged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The card, once the session was judged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seid: Option<Seid>,
    /// The identity, once the session was judged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity: Option<IdentityName>,
    /// The server.
    pub server_name: String,
    /// Since when it is established, or was asked for; as in RFC 3339.
    pub since: String,
    /// For how long, in milliseconds.
    pub for_ms: u64,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// It is being judged.
    Judged,
    /// It waits for its card.
    Waiting,
    /// It has its card, or makes the handshake without it.
    Handshake,
    /// Its keys are about to leave.
    Releasing,
    /// The guest has its keys, and has not said that it ended.
    Established,
}

impl SessionState {
    /// In one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Judged => "judged",
            Self::Waiting => "waiting",
            Self::Handshake => "handshake",
            Self::Releasing => "releasing",
            Self::Established => "established",
        }
    }
}

/// One card: who has it, who waits for it, and what domains owe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    /// The card.
    pub seid: Seid,
    /// Who has it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub running: Option<RunningView>,
    /// Who has it for raw APDUs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_by: Option<HolderView>,
    /// Who waits, in the order of their turns.
    pub waiting: Vec<WaitingView>,
    /// Time on the card that domains owe: who owes more has its turn later.
    pub debts: Vec<DebtView>,
    /// How long its work takes.
    #[serde(flatten)]
    pub pace: PacesView,
}

/// A session that waits for a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// The session.
    pub session: SessionName,
    /// Whose.
    pub domid: DomId,
    /// Its UUID.
    pub domain: DomainUuid,
    /// Its name.
    pub name: String,
    /// With which identity.
    pub identity: IdentityName,
    /// With which server.
    pub server_name: String,
    /// Other cards that were as good, when this one was expected to be done first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pool: Vec<Seid>,
    /// Handshakes served before it, the running one included.
    pub place: u32,
    /// How long they are expected to take, in milliseconds.
    pub expected_ms: u64,
    /// For how long it has waited, in milliseconds.
    pub waited_ms: u64,
}

/// What a domain owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebtView {
    /// The domain.
    pub domain: DomainUuid,
    /// Time on the card, in milliseconds.
    pub owes_ms: u64,
}

impl From<SessionKey> for SessionName {
    fn from(SessionKey { conn, session }: SessionKey) -> Self {
        Self { conn, session }
    }
}

impl Broker {
    /// All sessions that are in progress or established, in the order of their names.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionView> {
        let in_progress = self.sessions.iter();
        let in_progress = in_progress.map(|(key, session)| self.in_progress(*key, session));
        let established = self.connections.keys();
        let established = established.flat_map(|conn| self.established_of(*conn));
        let mut views: Vec<SessionView> = in_progress.chain(established).collect();
        views.sort_unstable_by_key(|view| view.session);
        views
    }

    /// One of them.
    #[must_use]
    pub fn session(&self, name: SessionName) -> Option<SessionView> {
        let SessionName { conn, session } = name;
        let key = SessionKey { conn, session };
        match self.sessions.get(&key) {
            Some(session) => Some(self.in_progress(key, session)),
            None => self.established_of(conn).find(|view| view.session == name),
        }
    }

    fn in_progress(&self, key: SessionKey, session: &Session) -> SessionView {
        let state = match &session.stage {
            Stage::ExpectJudgement(_) => SessionState::Judged,
            Stage::ExpectCard { .. } => SessionState::Waiting,
            Stage::ExpectEngine { .. } | Stage::ExpectKeys { .. } => SessionState::Handshake,
            Stage::ExpectRelease { .. } => SessionState::Releasing,
        };
        let grant = session.plan().map(|plan| &plan.grant);
        let now = self.now.monotonic;
        SessionView {
            session: key.into(),
            state,
            domid: session.peer.domid,
            domain: session.peer.made_for,
            name: grant.map(|grant| grant.admission.name.clone()),
            seid: grant.map(|grant| grant.seid.clone()),
            identity: grant.map(|grant| grant.identity.clone()),
            server_name: session.server_name.clone(),
            since: session.since.unix.to_string(),
            for_ms: millis(now.saturating_duration_since(session.since.monotonic)),
        }
    }

    fn established_of(&self, conn: ConnId) -> impl Iterator<Item = SessionView> {
        let now = self.now.monotonic;
        let connection = self.connections.get(&conn).into_iter();
        let standing = connection.flat_map(|connection| connection.past.established());
        standing.map(move |(session, standing)| {
            let Plan {
                grant, server_name, ..
            } = &*standing.plan;
            let since = standing.since;
            SessionView {
                session: SessionName { conn, session },
                state: SessionState::Established,
                domid: grant.admission.domid,
                domain: grant.admission.domain,
                name: Some(grant.admission.name.clone()),
                seid: Some(grant.seid.clone()),
                identity: Some(grant.identity.clone()),
                server_name: server_name.clone(),
                since: since.unix.to_string(),
                for_ms: millis(now.saturating_duration_since(since.monotonic)),
            }
        })
    }

    /// All cards and who waits for them.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueView> {
        let cards = self.cards.iter();
        cards.map(|(seid, card)| self.queue(seid, card)).collect()
    }

    fn queue(&self, seid: &Seid, card: &Card) -> QueueView {
        let now = self.now.monotonic;
        let plan = |key| self.sessions.get(&key).and_then(Session::plan);
        let places = card.forecast(now, plan).into_iter();
        let waiting = places.filter_map(|place| {
            let session = self.sessions.get(&place.key)?;
            let grant = &session.plan()?.grant;
            Some(WaitingView {
                session: place.key.into(),
                domid: session.peer.domid,
                domain: session.peer.made_for,
                name: grant.admission.name.clone(),
                identity: grant.identity.clone(),
                server_name: session.server_name.clone(),
                pool: others(session),
                place: place.place,
                expected_ms: millis(place.expected),
                waited_ms: millis(now.saturating_duration_since(session.since.monotonic)),
            })
        });
        let debts = card.queue.debts().map(|(domain, owed)| DebtView {
            domain,
            owes_ms: millis(owed),
        });
        QueueView {
            seid: seid.clone(),
            running: self.running(card),
            held_by: self.held_by(card),
            waiting: waiting.collect(),
            debts: debts.collect(),
            pace: card.pace.view(),
        }
    }
}

/// The other cards that a session could have had when it got its card.
fn others(session: &Session) -> Vec<Seid> {
    let pool = session.plan().and_then(|plan| plan.pool.as_ref());
    pool.map(|pool| pool.usable.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_one_name() {
        let name: SessionName = "3.17".parse().expect("a name");
        assert_eq!((name.conn, name.session), (ConnId(3), SessionId(17)));
        assert_eq!(name.to_string(), "3.17");
        let wrong = [
            "",
            "3",
            "3.",
            ".3",
            "+3.1",
            "03.1",
            "3.01",
            "3.1 ",
            "3.4294967296",
            "3.1.1",
        ];
        for text in wrong {
            assert!(text.parse::<SessionName>().is_err(), "{text:?}");
        }
    }
}

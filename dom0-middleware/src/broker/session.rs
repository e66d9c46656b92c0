//! One handshake a guest has asked for.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::agent::Open;
use proto::id::{Seid, SessionId};

use super::engine::SignWish;
use super::engines::EngineState;
use super::event::{ConnId, Peer};
use super::plan::Plan;
use crate::time::Now;

/// Names a session: numbers are the agent's, fresh within a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionKey {
    pub(super) conn: ConnId,
    pub(super) session: SessionId,
}

/// As the operator and the audit name it.
impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.conn, self.session.0)
    }
}

/// A handshake in progress.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: Peer,
    pub(super) server_name: String,
    /// When it was asked for.
    pub(super) since: Now,
    pub(super) stage: Stage,
    /// Where the service makes the handshake itself, once it has begun.
    pub(super) engine: Option<EngineState>,
}

/// What a session waits for.
#[derive(Debug)]
#[expect(clippy::enum_variant_names, reason = "states say what they await")]
pub(super) enum Stage {
    /// The judgement over its wish.
    ExpectJudgement(Box<Open>),
    /// The engine: the service makes the handshake, and needs no card now.
    ExpectEngine { plan: Arc<Plan> },
    /// Its turn.
    ExpectCard {
        plan: Arc<Plan>,
        /// What the card is wanted for; `None` for the whole handshake.
        wish: Option<SignWish>,
        since: Instant,
        /// The place the guest was told last.
        told: Option<u32>,
    },
    /// The keys, or a signature: it has the card.
    ExpectKeys { plan: Arc<Plan> },
    /// The last judgement: the keys exist, the card is no longer needed.
    ExpectRelease {
        plan: Arc<Plan>,
        /// How long it waited for the card.
        waited: Duration,
    },
}

impl Session {
    /// The card it wants or has, once that is settled.
    pub(super) fn seid(&self) -> Option<&Seid> {
        self.plan().map(|plan| &plan.grant.seid)
    }

    /// What was granted to it, once it was judged.
    pub(super) fn plan(&self) -> Option<&Arc<Plan>> {
        match &self.stage {
            Stage::ExpectJudgement(_) => None,
            Stage::ExpectEngine { plan }
            | Stage::ExpectCard { plan, .. }
            | Stage::ExpectKeys { plan }
            | Stage::ExpectRelease { plan, .. } => Some(plan),
        }
    }
}

//! One connection of a guest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::id::SessionId;

use super::event::Peer;
use super::plan::Plan;
use crate::limits::Limits;
use crate::mapping::VerifiedToken;
use crate::time::{Now, UnixTime};

/// A connection and how far it is.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    pub(super) phase: Phase,
    pub(super) speaks: Speaks,
    pub(super) right: Right,
    last_heard: Instant,
    pinged: bool,
    /// Sessions that are over.
    pub(super) past: Past,
}

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Messages between agent and dom0.
    Messages,
    /// RACS: the guest sends APDUs to its own card.
    Racs,
}

/// What the guest was let in with.
#[derive(Debug, Default)]
pub(super) struct Right {
    /// Its token; `None` before a good `hello` and where none is asked for.
    pub(super) token: Option<Arc<VerifiedToken>>,
    /// When it ends by itself.
    pub(super) until: Option<UnixTime>,
    /// Whether it has ended and the guest was told.
    pub(super) ended: bool,
}

impl Right {
    /// When to look whether it has ended. The calendar may be set, so it is looked at from time to
    /// time.
    pub(super) fn next_timeout(&self, now: Now) -> Option<Instant> {
        let until = self.until.filter(|_| !self.ended)?;
        let left = until.0.saturating_sub(now.unix.0);
        Some(now.monotonic + left.min(CALENDAR_CHECK))
    }

    /// Whether it has ended and the guest does not know yet.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        !self.ended && self.until.is_some_and(|until| now >= until)
    }
}

/// How long the calendar is relied on without a look.
const CALENDAR_CHECK: Duration = Duration::from_secs(60);

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its `hello`.
    ExpectHello { until: Instant },
    /// The judgement over its `hello`.
    ExpectJudgement { until: Instant },
    /// Anything.
    Admitted,
}

/// What time has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// No good `hello` came in time.
    Hello,
    /// The guest is silent and must be asked for a sign of life.
    Silent,
    /// The guest gave no sign of life.
    Dead,
}

impl Connection {
    pub(super) fn new(peer: Peer, limits: &Limits, now: Instant) -> Self {
        let sessions = limits.sessions_per_domain / limits.connections_per_domain.max(1);
        Self {
            peer,
            phase: Phase::ExpectHello {
                until: now + limits.hello,
            },
            speaks: Speaks::Messages,
            right: Right::default(),
            last_heard: now,
            pinged: false,
            past: Past::new(sessions),
        }
    }

    /// Something came.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.pinged = false;
    }

    /// When [`Self::overdue`] must be asked. RACS knows no signs of life: who carries it has limits.
    pub(super) fn next_timeout(&self, limits: &Limits) -> Option<Instant> {
        match (self.phase, self.pinged) {
            (Phase::ExpectHello { until } | Phase::ExpectJudgement { until }, _) => Some(until),
            (Phase::Admitted, _) if self.speaks == Speaks::Racs => None,
            (Phase::Admitted, false) => Some(self.last_heard + limits.ping_after),
            (Phase::Admitted, true) => {
                Some(self.last_heard + limits.ping_after + limits.ping_answer)
            }
        }
    }

    /// What time has brought about; said once.
    pub(super) fn overdue(&mut self, limits: &Limits, now: Instant) -> Option<Overdue> {
        if self.next_timeout(limits).is_none_or(|at| now < at) {
            return None;
        }
        Some(match (self.phase, self.pinged) {
            (Phase::ExpectHello { .. } | Phase::ExpectJudgement { .. }, _) => Overdue::Hello,
            (Phase::Admitted, false) => {
                self.pinged = true;
                Overdue::Silent
            }
            (Phase::Admitted, true) => Overdue::Dead,
        })
    }
}

/// An established session of which the guest has not said that it ended.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) plan: Arc<Plan>,
    /// When its keys were given away.
    pub(super) since: Now,
}

/// The sessions of a connection that are over, as far back as is remembered.
#[derive(Debug)]
pub(super) struct Past {
    capacity: usize,
    order: VecDeque<SessionId>,
    known: BTreeMap<SessionId, Option<Standing>>,
    /// Whether an established session is not remembered any more.
    has_lost: bool,
}

impl Past {
    fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            order: VecDeque::new(),
            known: BTreeMap::new(),
            has_lost: false,
        }
    }

    /// A session is over as far as its handshake goes. `established` says what it was when its keys
    /// were given away.
    pub(super) fn insert(&mut self, session: SessionId, established: Option<Standing>) {
        if self.known.contains_key(&session) {
            return;
        }
        self.known.insert(session, established);
        self.order.push_back(session);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            let forgotten = self.known.remove(&oldest);
            self.has_lost |= forgotten.flatten().is_some();
        }
    }

    /// Whether this session is remembered.
    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.known.contains_key(&session)
    }

    /// Takes out the established sessions that are as asked for and of which the guest has not said
    /// that they ended.
    pub(super) fn take_established_where(
        &mut self,
        asked_for: impl Fn(&Plan) -> bool,
    ) -> Vec<SessionId> {
        let taken = |(id, standing): (&SessionId, &mut Option<Standing>)| {
            let taken = standing.take_if(|standing| asked_for(&standing.plan));
            taken.map(|_| *id)
        };
        self.known.iter_mut().filter_map(taken).collect()
    }

    /// Takes out all established sessions that are remembered.
    pub(super) fn take_all_established(&mut self) -> Vec<SessionId> {
        self.has_lost = false;
        self.take_established_where(|_| true)
    }

    /// Whether all established sessions are remembered.
    pub(super) fn is_complete(&self) -> bool {
        !self.has_lost
    }

    /// What an established session was; said once.
    pub(super) fn take_established(&mut self, session: SessionId) -> Option<Standing> {
        self.known.get_mut(&session)?.take()
    }

    /// What an established session is of which the guest has not said that it ended.
    pub(super) fn standing(&self, session: SessionId) -> Option<&Standing> {
        self.known.get(&session)?.as_ref()
    }

    /// The established sessions of which the guest has not said that they ended.
    pub(super) fn established(&self) -> impl Iterator<Item = (SessionId, &Standing)> {
        let known = self.known.iter();
        known.filter_map(|(session, standing)| Some((*session, standing.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_session_is_forgotten_first() {
        let mut past = Past::new(2);
        for n in [1, 2, 2, 3] {
            past.insert(SessionId(n), None);
        }
        let known = [1, 2, 3].map(|n| past.contains(SessionId(n)));
        assert_eq!(known, [false, true, true]);
    }
}

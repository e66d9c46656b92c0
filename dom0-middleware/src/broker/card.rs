//! What the broker knows of one card.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::agent::Door;
use proto::apdu::Atr;
use proto::id::{DomainUuid, IdentityName};

use super::engine::SignWish;
use super::guest_leases::OWN_LEASE_WAIT;
use super::lease::Lease;
use super::leases::in_maintenance;
use super::pace::{Pace, PaceDrift};
use super::plan::{Plan, Signer};
use super::queue::{Place, Queue};
use super::refusal::Refusal;
use super::session::SessionKey;
use crate::card::{CardError, CardFeatures, SourceTrouble, UseId};
use crate::limits::Limits;
use crate::mapping::{Holding, Intermediates};

/// How much longer a guest is expected to have its card for raw APDUs, of which nothing is known.
const LEASE_GUESS: Duration = Duration::from_secs(1);

/// One card: whether it is there, who has it, who waits for it.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) presence: Presence,
    /// Which part of a handshake it takes.
    pub(super) door: Door,
    /// Why none can come.
    pub(super) trouble: Option<SourceTrouble>,
    /// What it held when it was last opened.
    pub(super) holdings: Option<Vec<Holding>>,
    /// What is sent behind its certificates.
    intermediates: Intermediates,
    pub(super) queue: Queue<SessionKey>,
    pub(super) running: Option<Use>,
    /// Who has it for raw APDUs.
    pub(super) lease: Option<Lease>,
    /// When it may be lent to its guest again.
    pub(super) next_guest_lease: Option<Instant>,
    /// Whether the operator has taken it from its guests.
    pub(super) maintenance: bool,
    pub(super) pace: Pace,
    /// The last handshake that left a session on it.
    last: Option<Arc<Plan>>,
    /// Since when there may be something to resume, where that has a limit.
    resumable_since: Option<Instant>,
    /// When it was used last.
    pub(super) idle_since: Option<Instant>,
}

/// Whether a card can be used.
#[derive(Debug)]
pub(super) enum Presence {
    /// It is not there.
    Absent,
    /// It is there and cannot be used.
    Unusable(CardError),
    /// It is ready.
    Present {
        atr: Atr,
        profile: String,
        features: CardFeatures,
    },
}

/// One use of a card, from the turn of a session until the card is free again.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) id: UseId,
    pub(super) domain: DomainUuid,
    pub(super) plan: Arc<Plan>,
    /// What it signs; `None` when the card makes the whole handshake.
    pub(super) wish: Option<SignWish>,
    /// The session it is for; `None` once that is over.
    pub(super) key: Option<SessionKey>,
    pub(super) step: UseStep,
    pub(super) since: Instant,
    /// How long the session waited for the card.
    pub(super) waited: Duration,
    /// Bytes from the server.
    pub(super) server_bytes: usize,
    /// Bytes for the server.
    pub(super) client_bytes: usize,
    /// What the card has done, once it has.
    pub(super) done: Option<Done>,
    /// The worker should have let go of the card long ago.
    pub(super) stuck: bool,
}

/// What a card has done: a handshake, or the signature for one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    pub(super) resumed: bool,
    /// Without waiting for others.
    pub(super) card_time: Duration,
}

/// What a use waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "states say what they await")]
pub(super) enum UseStep {
    /// The judgement; the worker knows nothing of it yet.
    ExpectJudgement,
    /// The worker.
    ExpectWorker,
    /// The server's next flight, through the guest.
    ExpectGuest { since: Instant },
}

impl Card {
    /// One that was never seen; it is expected to take the part of `door`.
    pub(super) fn new(limits: &Limits, intermediates: Intermediates, door: Door) -> Self {
        Self {
            intermediates,
            presence: Presence::Absent,
            door,
            trouble: None,
            holdings: None,
            queue: Queue::new(limits.queue_per_card),
            running: None,
            lease: None,
            next_guest_lease: None,
            maintenance: false,
            pace: Pace::new(door),
            last: None,
            resumable_since: None,
            idle_since: None,
        }
    }

    /// What it can carry, or why no handshake may begin with it now.
    pub(super) fn features(&self) -> Result<&CardFeatures, Refusal> {
        match self.maintenance {
            true => Err(in_maintenance()),
            false => self.usable(),
        }
    }

    /// What it can carry, or why it can do nothing now, not even for a handshake that has begun.
    pub(super) fn usable(&self) -> Result<&CardFeatures, Refusal> {
        if self.is_stuck() {
            return Err(stuck());
        }
        match &self.presence {
            Presence::Present { features, .. } => Ok(features),
            Presence::Absent => Err(absent()),
            Presence::Unusable(why) => Err(Refusal::of_card(why)),
        }
    }

    /// The key of an identity, if it signs for handshakes of the service.
    pub(super) fn signer(&self, identity: &IdentityName) -> Option<Signer> {
        let held = self.holdings.as_deref()?;
        let held = held.iter().find(|held| held.name == *identity)?;
        let leaf = held.certificate.as_ref()?.der();
        let mut certificates = vec![leaf.to_vec()];
        certificates.extend(self.intermediates.path_from(leaf));
        let schemes = held.schemes.clone();
        (!schemes.is_empty()).then_some(Signer {
            certificates,
            schemes,
        })
    }

    /// The guest that has it for raw APDUs.
    pub(super) fn lent_to_guest(&self) -> Option<DomainUuid> {
        let lease = self.lease.as_ref().filter(|lease| lease.ended.is_none())?;
        lease.holder.guest()
    }

    /// Whether it does not return from a command.
    pub(super) fn is_stuck(&self) -> bool {
        let running = self.running.as_ref().is_some_and(|running| running.stuck);
        running || self.lease.as_ref().is_some_and(|lease| lease.stuck)
    }

    /// Whether the next in the queue can have it.
    pub(super) fn is_free(&self) -> bool {
        let is_held = self.running.is_some() || self.lease.is_some();
        !is_held && matches!(self.presence, Presence::Present { .. })
    }

    /// The use of that number, if it is the one that runs.
    pub(super) fn running(&mut self, id: UseId) -> Option<&mut Use> {
        self.running.as_mut().filter(|running| running.id == id)
    }

    /// The card is free again. Tells when it shows to have become slow, or is well again.
    pub(super) fn release(&mut self, id: UseId, now: Instant) -> Option<PaceDrift> {
        if self.lease.take_if(|lease| lease.use_id == id).is_some() {
            self.idle_since = Some(now);
            // What the last handshake left in it is gone.
            self.last = None;
            return None;
        }
        let ended = self.running.take_if(|running| running.id == id)?;
        self.idle_since = Some(now);
        let held = now.saturating_duration_since(ended.since);
        self.queue.charge(ended.domain, held);
        let done = ended.done?;
        let identity = &ended.plan.grant.identity;
        let pace = &mut self.pace;
        let drift = pace.learn(identity, done.resumed, held, done.card_time);
        self.last = Some(ended.plan);
        drift
    }

    /// A handshake begins. Whether all that was made before it is too old to be resumed by it.
    pub(super) fn outlives_resumption(&mut self, limits: &Limits, now: Instant) -> bool {
        let Some(limit) = limits.resume_for else {
            return false;
        };
        let since = *self.resumable_since.get_or_insert(now);
        let is_over = now.saturating_duration_since(since) >= limit;
        if is_over {
            self.resumable_since = Some(now);
            self.last = None;
        }
        is_over
    }

    /// When a running use has gone on for too long, and what for; `None` when it has no limit any
    /// more.
    pub(super) fn use_timeout(&self, limits: &Limits) -> Option<Instant> {
        let running = self.running.as_ref()?;
        if running.key.is_none() {
            let lost = running.since + limits.handshake + limits.apdu;
            return (!running.stuck).then_some(lost);
        }
        let whole = running.since + limits.handshake;
        Some(match running.step {
            UseStep::ExpectGuest { since } => whole.min(since + self.peer_wait(limits)),
            UseStep::ExpectJudgement | UseStep::ExpectWorker => whole,
        })
    }

    fn peer_wait(&self, limits: &Limits) -> Duration {
        match self.queue.is_empty() {
            true => limits.peer_wait_alone,
            false => limits.peer_wait,
        }
    }

    /// When those who wait have their turns; `plan` tells what they want.
    pub(super) fn forecast<'p>(
        &self,
        now: Instant,
        plan: impl Fn(SessionKey) -> Option<&'p Arc<Plan>>,
    ) -> Vec<Place<SessionKey>> {
        let mut before = self.last.as_ref();
        let lent = self.lent_to_guest();
        let lent = lent.map(|domain| (domain, LEASE_GUESS, Duration::ZERO));
        let running = self.running.as_ref().map(|running| {
            let whole = self.expected(&running.plan, before);
            before = Some(&running.plan);
            let gone = now.saturating_duration_since(running.since);
            let left = match running.key {
                Some(_) => whole.saturating_sub(gone),
                // It has its keys, or is given up: the card only comes to rest.
                None => Duration::ZERO,
            };
            (running.domain, left, whole.max(gone))
        });
        self.queue
            .forecast(running.or(lent), |key| match plan(key) {
                Some(plan) => {
                    let expected = self.expected(plan, before);
                    before = Some(plan);
                    expected
                }
                None => Duration::ZERO,
            })
    }

    /// In how much time a handshake would be over that came now.
    pub(super) fn expected_end<'p>(
        &self,
        now: Instant,
        plan: &'p Plan,
        plan_of: impl Fn(SessionKey) -> Option<&'p Arc<Plan>>,
    ) -> Duration {
        let mut before = self.last.as_ref();
        let mut end = match self.lent_to_guest() {
            // Another card is better, if there is one.
            Some(_) => OWN_LEASE_WAIT,
            None => Duration::ZERO,
        };
        if let Some(running) = &self.running {
            let whole = self.expected(&running.plan, before);
            before = Some(&running.plan);
            if running.key.is_some() {
                end = whole.saturating_sub(now.saturating_duration_since(running.since));
            }
        }
        for waiting in self.forecast(now, &plan_of) {
            if let Some(plan) = plan_of(waiting.key) {
                end = waiting.expected + self.expected(plan, before);
                before = Some(plan);
            }
        }
        end.saturating_add(self.expected(plan, before))
    }

    /// How long a handshake is expected to take after another one.
    fn expected(&self, plan: &Plan, before: Option<&Arc<Plan>>) -> Duration {
        let resumes = before.is_some_and(|before| plan.may_resume(before));
        self.pace.expected(&plan.grant.identity, resumes)
    }
}

/// The card is not there.
pub(super) fn absent() -> Refusal {
    Refusal::new(proto::agent::RefusalCode::NoCard, "the card is not there")
}

/// The card's worker hangs.
pub(super) fn stuck() -> Refusal {
    Refusal::new(
        proto::agent::RefusalCode::CardFailed,
        "the card does not return from a command",
    )
}

//! Who gets a card next: deficit round robin over domains, by time on the card.
//!
//! What a handshake costs is known only when it is over, so a domain pays afterwards. A domain
//! that owes nothing may have its turn; when all who wait owe something, every account is credited
//! with the smallest of these debts. So nobody ever has anything in advance, and who waits sees no
//! other domain have two turns that cost as much. A domain that holds the card ten times as long
//! gets a tenth of the turns. When a card becomes free and nobody waits, all accounts are forgotten.
//!
//! The number of waiting handshakes is limited. When it is reached, a newcomer takes the last
//! place of the domain that has most of them waiting, so a flood fills only its own places.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proto::id::DomainUuid;

/// Handshakes `K` that wait for one card.
#[derive(Debug, Clone)]
pub(super) struct Queue<K> {
    capacity: usize,
    /// Domains with handshakes waiting, the next to be looked at first.
    turns: VecDeque<DomainUuid>,
    lanes: BTreeMap<DomainUuid, Lane<K>>,
    changed: bool,
}

#[derive(Debug, Clone)]
struct Lane<K> {
    waiting: VecDeque<K>,
    /// Time on the card that this domain owes, in microseconds.
    debt: i64,
}

impl<K> Default for Lane<K> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            debt: 0,
        }
    }
}

/// What became of a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed<K> {
    /// It waits.
    Queued,
    /// It waits in the place of this one, which does not any more.
    Displaced(K),
    /// There is no room for it.
    Full,
}

/// When a waiting handshake has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<K> {
    pub(super) key: K,
    /// Handshakes served before it, the running one included.
    pub(super) place: u32,
    /// How long they are expected to take.
    pub(super) expected: Duration,
}

impl<K: Copy + Eq> Queue<K> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            turns: VecDeque::new(),
            lanes: BTreeMap::new(),
            changed: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.waiting.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Those that wait, domain by domain.
    pub(super) fn waiting(&self) -> impl Iterator<Item = K> {
        self.lanes
            .values()
            .flat_map(|lane| lane.waiting.iter().copied())
    }

    /// Whether something has changed since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Puts a handshake at the end of its domain's lane.
    pub(super) fn push(&mut self, domain: DomainUuid, key: K) -> Pushed<K> {
        let displaced = match self.len() < self.capacity {
            true => None,
            false => match self.displace(domain) {
                Some(key) => Some(key),
                None => return Pushed::Full,
            },
        };
        self.changed = true;
        let lane = self.lanes.entry(domain).or_default();
        if lane.waiting.is_empty() {
            self.turns.push_back(domain);
        }
        lane.waiting.push_back(key);
        displaced.map_or(Pushed::Queued, Pushed::Displaced)
    }

    /// Takes the last handshake of the longest lane, if that lane stays longer than `domain`'s
    /// becomes.
    fn displace(&mut self, domain: DomainUuid) -> Option<K> {
        let own = self.lanes.get(&domain).map_or(0, |lane| lane.waiting.len());
        let longest = self
            .lanes
            .values_mut()
            .max_by_key(|lane| lane.waiting.len())?;
        match longest.waiting.len() > own + 1 {
            true => longest.waiting.pop_back(),
            false => None,
        }
    }

    /// Takes the handshake whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(DomainUuid, K)> {
        self.settle();
        let even = |domain: &DomainUuid| self.debt(*domain) == 0;
        let index = self.turns.iter().position(even)?;
        let domain = self.turns.remove(index)?;
        let lane = self.lanes.get_mut(&domain)?;
        let key = lane.waiting.pop_front()?;
        if !lane.waiting.is_empty() {
            self.turns.push_back(domain);
        }
        self.changed = true;
        Some((domain, key))
    }

    /// Takes a handshake away wherever it waits.
    pub(super) fn remove(&mut self, key: K) -> bool {
        for (domain, lane) in &mut self.lanes {
            let Some(index) = lane.waiting.iter().position(|waiting| *waiting == key) else {
                continue;
            };
            lane.waiting.remove(index);
            if lane.waiting.is_empty() {
                self.turns.retain(|turn| turn != domain);
            }
            self.changed = true;
            return true;
        }
        false
    }

    /// Takes everything away.
    pub(super) fn drain(&mut self) -> Vec<K> {
        self.changed = true;
        self.turns.clear();
        let lanes = std::mem::take(&mut self.lanes);
        lanes.into_values().flat_map(|lane| lane.waiting).collect()
    }

    /// Lets a domain pay for the time it had the card.
    pub(super) fn charge(&mut self, domain: DomainUuid, cost: Duration) {
        self.changed = true;
        if self.is_empty() {
            self.lanes.clear();
            return;
        }
        let cost = i64::try_from(cost.as_micros()).unwrap_or(i64::MAX);
        let lane = self.lanes.entry(domain).or_default();
        lane.debt = lane.debt.saturating_add(cost);
    }

    /// The order in which those who wait have their turns if nobody else comes, when each takes as
    /// long as `cost` expects. `running` is who has the card and for how much longer, and what it
    /// will have to pay.
    pub(super) fn forecast(
        &self,
        running: Option<(DomainUuid, Duration, Duration)>,
        mut cost: impl FnMut(K) -> Duration,
    ) -> Vec<Place<K>> {
        let mut queue = self.clone();
        let mut places = Vec::with_capacity(queue.len());
        let mut place = 0;
        let mut expected = Duration::ZERO;
        if let Some((domain, remaining, whole)) = running {
            queue.charge(domain, whole);
            place += 1;
            expected += remaining;
        }
        while let Some((domain, key)) = queue.pop() {
            places.push(Place {
                key,
                place,
                expected,
            });
            let cost = cost(key);
            queue.charge(domain, cost);
            place += 1;
            expected += cost;
        }
        places
    }

    /// What domains owe.
    pub(super) fn debts(&self) -> impl Iterator<Item = (DomainUuid, Duration)> {
        let owing = self.lanes.iter().filter(|(_, lane)| lane.debt > 0);
        owing.map(|(domain, lane)| {
            let micros = u64::try_from(lane.debt).unwrap_or_default();
            (*domain, Duration::from_micros(micros))
        })
    }

    /// Credits all accounts until one of those who wait is even.
    fn settle(&mut self) {
        let least = self.turns.iter().map(|turn| self.debt(*turn)).min();
        let Some(credit @ 1..) = least else {
            return;
        };
        for lane in self.lanes.values_mut() {
            lane.debt = lane.debt.saturating_sub(credit).max(0);
        }
        self.lanes
            .retain(|_, lane| lane.debt != 0 || !lane.waiting.is_empty());
    }

    fn debt(&self, domain: DomainUuid) -> i64 {
        self.lanes.get(&domain).map_or(0, |lane| lane.debt)
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;

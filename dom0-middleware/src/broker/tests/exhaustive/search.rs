//! The search itself: breadth first, states that differ in nothing taken for one.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::broker::tests::bench::Bench;
use crate::limits::Limits;
use crate::time::{Now, UnixTime};

/// A small world, which can be searched.
pub(super) trait SmallWorld: Sized {
    /// What a search of it is about.
    type Setting: Copy;
    /// Something that happens.
    type Step: Copy;

    /// The world after these events.
    fn after(setting: Self::Setting, path: &[Self::Step]) -> Self;

    /// Everything that can happen next.
    fn steps(&self) -> Vec<Self::Step>;

    /// Tells states apart: the same key, the same future.
    fn key(&self) -> u64;

    /// The broker in it.
    fn bench(&self) -> &Bench;

    /// The next timer goes off.
    fn let_time_pass(&mut self);

    /// Everybody does what must be done, in any order: everything comes to its end.
    fn ends_well_with_everybody(self);

    /// Whether everything has.
    fn expect_all_over(&self);

    /// In how much time the next timer goes off.
    fn next_timer(&self) -> Option<Duration> {
        let bench = self.bench();
        let at = bench.broker.next_timeout()?;
        let left = at.saturating_duration_since(bench.now.monotonic);
        (left < SOON).then_some(left)
    }

    /// Nobody does anything any more: time alone ends what was begun.
    fn ends_well_with_nobody(mut self) {
        for _ in 0..ENOUGH {
            if self.next_timer().is_none() {
                return self.expect_all_over();
            }
            self.let_time_pass();
        }
        panic!("there is always one more timer");
    }
}

/// A broker with nobody there, at the same time in all worlds, so that their states can be compared.
pub(super) fn bench() -> Bench {
    let limits = Limits {
        ping_after: Duration::from_secs(1_000_000),
        ..Limits::default()
    };
    Bench::at(limits, *BEGINNING)
}

/// What the broker's future depends on.
pub(super) fn state(bench: &Bench) -> String {
    let broker = &bench.broker;
    // Sums and the operator's view decide nothing.
    format!(
        "{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}",
        broker.connections,
        broker.sessions,
        broker.cards,
        broker.guest_wishes,
        broker.reads,
        broker.account,
        (broker.trust.keys(), &broker.revoked),
        broker.now,
        bench.open_reads
    )
}

/// Goes through everything that can happen in `depth` events after `beginning`, has each new state looked at,
/// and counts them.
pub(super) fn search<W: SmallWorld>(
    setting: W::Setting,
    beginning: &[W::Step],
    depth: usize,
    mut look: impl FnMut(&W),
) -> usize {
    let mut known = HashSet::from([W::after(setting, beginning).key()]);
    let mut level: Vec<Vec<W::Step>> = vec![beginning.to_vec()];
    for _ in 0..depth + more_depth() {
        let mut next = Vec::new();
        for path in level {
            for step in W::after(setting, &path).steps() {
                let mut longer = path.clone();
                longer.push(step);
                let world = W::after(setting, &longer);
                if known.insert(world.key()) {
                    look(&world);
                    world.ends_well_with_everybody();
                    W::after(setting, &longer).ends_well_with_nobody();
                    next.push(longer);
                }
            }
        }
        level = next;
    }
    known.len()
}

/// Events beyond those that are looked at in every run, for a long one by hand.
fn more_depth() -> usize {
    let more = std::env::var("TESSERA_MORE_DEPTH").ok();
    more.map_or(0, |more| more.parse().expect("a number of events"))
}

static BEGINNING: LazyLock<Now> = LazyLock::new(|| Now {
    monotonic: Instant::now(),
    unix: UnixTime::from_secs(1_800_000_000),
});

/// Timers further away than this are of no interest: signs of life, looks at the calendar.
const SOON: Duration = Duration::from_secs(59);

/// Events that bring any of these worlds to rest.
pub(super) const ENOUGH: usize = 60;

//! The search itself: breadth first, states that differ in nothing taken for one.

use std::collections::HashSet;

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

    /// Everybody does what must be done: everything comes to its end.
    fn ends_well_with_everybody(self);

    /// Nobody does anything any more: the same.
    fn ends_well_with_nobody(self);
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

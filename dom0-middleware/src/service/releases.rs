//! What may have made a card free, for threads that wait for one.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Counts it. Whoever was refused asks again when the count has changed since before it asked, so nothing is
/// missed in between.
#[derive(Debug, Clone, Default)]
pub(super) struct Releases(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Releases {
    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        *self.lock()
    }

    /// One more.
    pub(super) fn note(&self) {
        let mut count = self.lock();
        *count = count.wrapping_add(1);
        drop(count);
        self.0.changed.notify_all();
    }

    /// Waits until there are others than `seen`, or until `deadline`.
    pub(super) fn wait(&self, seen: u64, deadline: Instant) {
        let time = deadline.saturating_duration_since(Instant::now());
        let is_same = |count: &mut u64| *count == seen;
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.lock(), time, is_same);
        // Which of both came is seen by asking for the card.
        drop(waited);
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        // Any number will do.
        self.0.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn whoever_waits_hears_of_a_release_also_of_one_before_the_wait() {
        let releases = Releases::default();
        let seen = releases.count();
        let deadline = Instant::now() + Duration::from_secs(60);
        let waiting = releases.clone();
        let waiter = thread::spawn(move || waiting.wait(seen, deadline));
        releases.note();
        waiter.join().expect("no panic");
        releases.wait(seen, deadline);
        assert!(Instant::now() < deadline);
        releases.wait(releases.count(), Instant::now());
    }
}

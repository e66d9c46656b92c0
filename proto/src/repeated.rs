//! What goes wrong again and again, and is to be told of without filling a log.
//!
//! ```text
//! fails fails fails … fails … works
//! told    ─ counted ─ told    told      at most once in ten seconds, and once that it is over
//! ```

use std::time::{Duration, Instant};

/// The least time from one word about a fault to the next.
pub const WORD_EVERY: Duration = Duration::from_secs(10);

/// One thing that is tried over and over, and what was said of its failing.
#[derive(Debug, Clone, Default)]
pub struct Repeated {
    /// When it was last said that it fails.
    said_at: Option<Instant>,
    /// It was said that it fails, and not yet that it works again.
    is_open: bool,
    /// Failures since the last word.
    left_out: u64,
}

impl Repeated {
    /// It has failed. `Some` when that is to be said: how many failures nobody was told of.
    pub fn failed(&mut self, now: Instant) -> Option<u64> {
        let since = self.said_at.map(|at| now.saturating_duration_since(at));
        if since.is_some_and(|since| since < WORD_EVERY) {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.said_at = Some(now);
        self.is_open = true;
        Some(std::mem::take(&mut self.left_out))
    }

    /// It has worked. `Some` when that is to be said, because it was said that it fails: how many
    /// failures nobody was told of.
    pub fn worked(&mut self) -> Option<u64> {
        let was_open = std::mem::take(&mut self.is_open);
        was_open.then(|| std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries every 100 ms from `from` on, as who accepts connections does.
    fn fail(repeated: &mut Repeated, from: Instant, times: u32) -> Vec<u64> {
        let attempts = (0..times).map(|n| from + n * Duration::from_millis(100));
        attempts.filter_map(|now| repeated.failed(now)).collect()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    fn a_run_is_told_at_once_then_every_ten_seconds_and_when_it_is_over() {
        let (mut repeated, start) = (Repeated::default(), Instant::now());
        assert_eq!(repeated.worked(), None, "nothing was wrong");
        assert_eq!(fail(&mut repeated, start, 251), [0, 99, 99]);
        assert_eq!(repeated.worked(), Some(50));
        assert_eq!(repeated.worked(), None, "that was said");
        let later = start + Duration::from_secs(60);
        assert_eq!(repeated.failed(later), Some(0));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    fn what_works_now_and_then_is_told_of_no_more_often() {
        let (mut repeated, start) = (Repeated::default(), Instant::now());
        let (mut failures, mut ends) = (0, 0);
        for n in 0..200 {
            failures += u32::from(repeated.failed(start + n * WORD_EVERY / 100).is_some());
            ends += u32::from(repeated.worked().is_some());
        }
        assert_eq!((failures, ends), (2, 2));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    fn no_failure_is_lost_from_the_count() {
        let (mut repeated, start) = (Repeated::default(), Instant::now());
        assert_eq!(repeated.failed(start), Some(0));
        assert_eq!(repeated.worked(), Some(0));
        for _ in 0..7 {
            assert_eq!(repeated.failed(start), None);
            assert_eq!(repeated.worked(), None);
        }
        assert_eq!(repeated.failed(start + WORD_EVERY), Some(7));
    }
}

//! How long a card takes, learned from what it took.

use std::time::Duration;

/// Before anything is known: what a card of the published measurements takes.
const FIRST_GUESS: Pace = Pace {
    full: Duration::from_millis(2_000),
    resumed: Duration::from_millis(500),
};

/// The newest handshake counts for one part in this many.
const WEIGHT: u32 = 4;

/// Expected time on one card, for each kind of handshake: an exponential average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    full: Duration,
    resumed: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        FIRST_GUESS
    }
}

impl Pace {
    /// How long a handshake is expected to hold the card.
    pub(super) fn expected(&self, resumed: bool) -> Duration {
        match resumed {
            true => self.resumed,
            false => self.full,
        }
    }

    /// A handshake held the card for `took`.
    pub(super) fn learn(&mut self, resumed: bool, took: Duration) {
        let average = match resumed {
            true => &mut self.resumed,
            false => &mut self.full,
        };
        *average = *average - *average / WEIGHT + took / WEIGHT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expectation_moves_towards_what_is_measured() {
        let mut pace = Pace::default();
        for _ in 0..40 {
            pace.learn(false, Duration::from_millis(100));
        }
        let learned = pace.expected(false);
        assert!(learned.abs_diff(Duration::from_millis(100)) < Duration::from_millis(1));
        assert_eq!(pace.expected(true), Duration::from_millis(500));
    }
}

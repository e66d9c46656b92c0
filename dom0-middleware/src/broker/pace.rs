//! How long a card takes, learned from what it took.

use std::time::Duration;

/// What a card of the published measurements takes: for a card of which nothing is known.
const FULL: Duration = Duration::from_millis(2_000);

/// How many times as long as a resumed handshake a full one takes, by the same measurements.
const RATIO: u32 = 4;

/// The newest handshake counts for one part in this many; the first one for all.
const WEIGHT: u32 = 4;

/// Expected time on one card, for each kind of handshake: an exponential average.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pace {
    full: Option<Duration>,
    resumed: Option<Duration>,
}

impl Pace {
    /// How long a handshake is expected to hold the card.
    pub(super) fn expected(&self, resumed: bool) -> Duration {
        match resumed {
            true => self.resumed.unwrap_or_else(|| self.expected(false) / RATIO),
            false => self
                .full
                .or_else(|| self.resumed?.checked_mul(RATIO))
                .unwrap_or(FULL),
        }
    }

    /// A handshake held the card for `took`.
    pub(super) fn learn(&mut self, resumed: bool, took: Duration) {
        let average = match resumed {
            true => &mut self.resumed,
            false => &mut self.full,
        };
        *average = Some(match *average {
            Some(average) => average - average / WEIGHT + took / WEIGHT,
            None => took,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_measurement_is_believed_and_the_others_move_it() {
        let mut pace = Pace::default();
        assert_eq!(pace.expected(false), FULL);
        pace.learn(false, Duration::from_millis(100));
        assert_eq!(pace.expected(false), Duration::from_millis(100));
        pace.learn(false, Duration::from_millis(200));
        assert_eq!(pace.expected(false), Duration::from_millis(125));
    }

    #[test]
    fn one_kind_tells_of_the_other() {
        let mut pace = Pace::default();
        assert_eq!(pace.expected(true), Duration::from_millis(500));
        pace.learn(true, Duration::from_millis(10));
        assert_eq!(pace.expected(false), Duration::from_millis(40));
        pace.learn(false, Duration::from_millis(80));
        assert_eq!(pace.expected(true), Duration::from_millis(10));
    }
}

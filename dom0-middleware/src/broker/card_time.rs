//! How long a card itself takes, and whether that is still what it used to be.
//!
//! Without the time for which others were waited for: a slow server does not make a card a slow one. A
//! card drifts when its contacts wear, its reader falls back to a lower clock, or another program
//! shares it.

use std::fmt;
use std::time::Duration;

use super::account::millis;
use super::pace_view::PaceView;

/// The newest time counts for one part in this many.
const WEIGHT: u32 = 4;

/// How many times tell what is usual for a card.
const USUAL_AFTER: u32 = 16;

/// A card has drifted at so many hundredths of what is usual, and is back below [`BACK`].
const DRIFTED: u32 = 200;
const BACK: u32 = 150;

/// What was learned of one kind of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CardTime {
    /// An exponential average.
    average: Duration,
    /// The sum of the first [`USUAL_AFTER`], as far as there were that many.
    first: Duration,
    measured: u32,
    drifted: bool,
}

/// A card has become slow, or is as it was again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Drift {
    pub(super) is_slow: bool,
    average: Duration,
    usual: Duration,
}

impl CardTime {
    /// It took `took`. Tells when it has drifted since the last time, or is back.
    pub(super) fn learn(&mut self, took: Duration) -> Option<Drift> {
        let seen = self.measured;
        self.measured = seen.saturating_add(1);
        let weight = self.measured.min(WEIGHT);
        self.average = self.average - self.average / weight + took / weight;
        if seen < USUAL_AFTER {
            self.first = self.first.saturating_add(took);
            return None;
        }
        let limit = match self.drifted {
            true => BACK,
            false => DRIFTED,
        };
        let usual = self.usual();
        let is_slow = self.average.saturating_mul(100) >= usual.saturating_mul(limit);
        let has_changed = std::mem::replace(&mut self.drifted, is_slow) != is_slow;
        has_changed.then_some(Drift {
            is_slow,
            average: self.average,
            usual,
        })
    }

    /// What is usual for the card, once enough was measured.
    fn usual(&self) -> Duration {
        self.first / USUAL_AFTER
    }

    /// To be shown, for a handshake that is expected to hold the card so long.
    pub(super) fn view(&self, expected: Duration) -> PaceView {
        let is_known = self.measured >= USUAL_AFTER;
        PaceView {
            expected_ms: millis(expected),
            measured: self.measured,
            card_ms: (self.measured > 0).then(|| millis(self.average)),
            usual_ms: is_known.then(|| millis(self.usual())),
            drifted: self.drifted,
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (average, usual) = (millis(self.average), millis(self.usual));
        write!(f, "{average} ms, {usual} ms at first")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(card: &mut CardTime, times: usize, took: u64) -> Vec<Drift> {
        let took = Duration::from_millis(took);
        (0..times).filter_map(|_| card.learn(took)).collect()
    }

    #[test]
    fn what_is_usual_is_known_after_some_handshakes() {
        let mut card = CardTime::default();
        assert_eq!(card.view(Duration::ZERO).card_ms, None);
        take(&mut card, 8, 100);
        take(&mut card, 7, 200);
        assert_eq!(card.view(Duration::ZERO).usual_ms, None);
        take(&mut card, 1, 200);
        let view = card.view(Duration::ZERO);
        assert_eq!((view.usual_ms, view.measured), (Some(150), 16));
    }

    #[test]
    fn a_card_that_becomes_slow_is_told_once_and_so_is_its_getting_well() {
        let mut card = CardTime::default();
        assert!(take(&mut card, 16, 100).is_empty());
        // One slow handshake is none.
        assert!(take(&mut card, 1, 300).is_empty());
        assert!(take(&mut card, 20, 100).is_empty());
        let told = take(&mut card, 50, 300);
        assert!(
            matches!(told[..], [Drift { is_slow: true, .. }]),
            "{told:?}"
        );
        assert!(card.view(Duration::ZERO).drifted);
        // Somewhat slow is neither.
        assert!(take(&mut card, 50, 160).is_empty());
        let told = take(&mut card, 50, 110);
        assert!(
            matches!(told[..], [Drift { is_slow: false, .. }]),
            "{told:?}"
        );
        assert!(!card.view(Duration::ZERO).drifted);
    }
}

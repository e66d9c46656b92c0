//! How long a card takes, learned from what it took.

use std::time::Duration;

use proto::agent::Door;

use super::card_time::{CardTime, Drift};
use super::snapshot::PaceView;

/// What a card takes of which nothing is known: that of the published measurements, which makes whole
/// handshakes in 2.0 s, 0.6 s of them for its signature.
const FULL: Duration = Duration::from_millis(2_000);
const SIGNATURE: Duration = Duration::from_millis(600);

/// How many times as long as a resumed handshake a full one takes, by the same measurements.
const RATIO: u32 = 4;

/// The newest handshake counts for one part in this many; the first one for all.
const WEIGHT: u32 = 4;

/// What is known of one card's handshakes, for each kind of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    door: Door,
    full: Kind,
    resumed: Kind,
}

/// One kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kind {
    /// How long the card was held, which the server has a part in: an exponential average.
    held: Option<Duration>,
    /// How long the card itself took.
    card: CardTime,
}

impl Pace {
    /// Of a card of this door nothing is known but what such cards take.
    pub(super) fn new(door: Door) -> Self {
        Self {
            door,
            full: Kind::default(),
            resumed: Kind::default(),
        }
    }

    /// A card of this door is there. One of another door is another card.
    pub(super) fn serve(&mut self, door: Door) {
        if self.door != door {
            *self = Self::new(door);
        }
    }

    /// How long a handshake is expected to hold the card.
    pub(super) fn expected(&self, resumed: bool) -> Duration {
        match (self.door, resumed) {
            // What is resumed here does not need the card.
            (Door::Piv, _) => self.full.held.unwrap_or(SIGNATURE),
            (Door::EapTls, true) => {
                let held = self.resumed.held;
                held.unwrap_or_else(|| self.expected(false) / RATIO)
            }
            (Door::EapTls, false) => {
                let of_resumed = || self.resumed.held?.checked_mul(RATIO);
                self.full.held.or_else(of_resumed).unwrap_or(FULL)
            }
        }
    }

    /// A handshake held the card for `held`, of which it took `card_time` itself. Tells when that
    /// shows that the card has changed.
    pub(super) fn learn(
        &mut self,
        resumed: bool,
        held: Duration,
        card_time: Duration,
    ) -> Option<Drift> {
        let kind = match resumed {
            true => &mut self.resumed,
            false => &mut self.full,
        };
        kind.held = Some(match kind.held {
            Some(average) => average - average / WEIGHT + held / WEIGHT,
            None => held,
        });
        kind.card.learn(card_time)
    }

    /// To be shown: full ones, and resumed ones where those need the card.
    pub(super) fn views(&self) -> (PaceView, Option<PaceView>) {
        let view = |resumed, kind: &Kind| kind.card.view(self.expected(resumed));
        let resumed = (self.door == Door::EapTls).then(|| view(true, &self.resumed));
        (view(false, &self.full), resumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    #[test]
    fn the_first_measurement_is_believed_and_the_others_move_it() {
        let mut pace = Pace::new(Door::EapTls);
        assert_eq!(pace.expected(false), FULL);
        pace.learn(false, ms(100), ms(90));
        assert_eq!(pace.expected(false), ms(100));
        pace.learn(false, ms(200), ms(90));
        assert_eq!(pace.expected(false), ms(125));
    }

    #[test]
    fn a_card_that_was_never_seen_is_expected_to_take_what_its_kind_takes() {
        let (full, resumed) = Pace::new(Door::Piv).views();
        assert_eq!((full.expected_ms, resumed), (600, None));
        let (full, resumed) = Pace::new(Door::EapTls).views();
        assert_eq!(full.expected_ms, 2_000);
        assert_eq!(resumed.map(|pace| pace.expected_ms), Some(500));
    }

    #[test]
    fn one_kind_tells_of_the_other() {
        let mut pace = Pace::new(Door::EapTls);
        assert_eq!(pace.expected(true), ms(500));
        pace.learn(true, ms(10), ms(9));
        assert_eq!(pace.expected(false), ms(40));
        pace.learn(false, ms(80), ms(70));
        assert_eq!(pace.expected(true), ms(10));
    }

    #[test]
    fn a_card_that_signs_is_expected_to_sign_whatever_is_resumed() {
        let mut pace = Pace::new(Door::EapTls);
        pace.learn(false, ms(80), ms(70));
        pace.serve(Door::Piv);
        assert_eq!(pace.expected(false), SIGNATURE, "that was another card");
        pace.learn(false, ms(50), ms(49));
        pace.serve(Door::Piv);
        assert_eq!(pace.expected(true), ms(50));
        let (full, resumed) = pace.views();
        assert_eq!((full.expected_ms, full.measured, resumed), (50, 1, None));
    }
}

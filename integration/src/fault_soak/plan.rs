//! How much of what, and the troubles that a seed makes.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::host::{CARDS, DOMAINS, Profile};

/// A fault soak.
#[derive(Debug, Clone, Copy)]
pub struct FaultPlan {
    /// What all troubles are drawn from.
    pub seed: u64,
    /// How often each card is pulled and put back with new faults.
    pulls_of_each_card: usize,
    /// How often each guest is killed.
    kills_of_each_guest: usize,
    /// Faults that a card has from one pull to the next.
    faults: usize,
    /// Sessions that end well from one trouble to the next.
    stride: usize,
    /// Sessions that must end well: at the EAP-TLS cards, and at the PIV cards.
    pub(super) wanted: [usize; 2],
    /// Whether faults may be among them that take a card away for long.
    has_slow: bool,
}

/// Something bad, and when.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// After so many sessions that ended well.
    pub(super) at: usize,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// This card is pulled.
    Pull(usize),
    /// It is put back, and will have these faults: arguments of `soft-card serve`.
    PutBack(usize, Vec<String>),
    /// The agent of this domain is killed, and started again.
    Kill(usize),
}

impl FaultPlan {
    /// As many sessions as the cards of the papers make in an hour, two of them at 2.0 s and three at
    /// 0.65 s for each; troubles as a bad day has them.
    #[must_use]
    pub fn hour(seed: u64) -> Self {
        Self {
            seed,
            pulls_of_each_card: 12,
            kills_of_each_guest: 10,
            faults: 6,
            stride: 160,
            wanted: [3_600, 16_600],
            has_slow: true,
        }
    }

    /// A few seconds of that: each card is pulled once, and each guest is killed once.
    #[must_use]
    pub fn short(seed: u64) -> Self {
        Self {
            seed,
            pulls_of_each_card: 1,
            kills_of_each_guest: 1,
            faults: 3,
            stride: 20,
            wanted: [100, 150],
            has_slow: false,
        }
    }

    /// All troubles, in their order.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let mut random = StdRng::seed_from_u64(self.seed);
        let pulls = (0..CARDS.len()).cycle();
        let pulls = pulls.take(self.pulls_of_each_card * CARDS.len());
        let kills = (0..DOMAINS.len()).cycle();
        let kills = kills.take(self.kills_of_each_guest * DOMAINS.len());
        let mut kinds: Vec<What> = pulls.map(What::Pull).chain(kills.map(What::Kill)).collect();
        kinds.shuffle(&mut random);
        let mut troubles = Vec::new();
        for (number, what) in (1..).zip(kinds) {
            let at = number * self.stride;
            if let What::Pull(card) = what {
                let faults = self.faults(card, &mut random);
                let back = at + random.gen_range(1..self.stride);
                let what = What::PutBack(card, faults);
                troubles.push(Trouble { at: back, what });
            }
            troubles.push(Trouble { at, what });
        }
        troubles.sort_by_key(|trouble| trouble.at);
        troubles
    }

    fn faults(&self, card: usize, random: &mut StdRng) -> Vec<String> {
        let (own, gap) = match CARDS[card].profile {
            Profile::EapTls => (&EAP_TLS_FAULTS[..], EAP_TLS_GAP),
            Profile::Piv => (&PIV_FAULTS[..], PIV_GAP),
        };
        let kinds: Vec<&str> = ANY_FAULTS.iter().chain(own).copied().collect();
        let mut arguments = Vec::new();
        let mut at = 0;
        for _ in 0..self.faults {
            at += random.gen_range(1..=gap);
            let is_slow = self.has_slow && random.gen_ratio(1, 50);
            let kind = match is_slow {
                true => "slow",
                false => kinds.choose(random).copied().expect("there are some"),
            };
            arguments.extend(["--fault".to_owned(), format!("{kind}@{at}")]);
        }
        arguments
    }
}

/// What can befall any card.
const ANY_FAULTS: [&str; 6] = [
    "mute",
    "garbage",
    "truncated",
    "reset",
    "removed",
    "wrong-sw",
];

/// What can befall an EAP-TLS card besides, and most commands between two faults.
const EAP_TLS_FAULTS: [&str; 10] = [
    "wrong-eap-id",
    "wrong-eap-length",
    "wrong-eap-type",
    "nak",
    "empty-9000",
    "endless-9f",
    "loop-61",
    "short-key-block",
    "other-suite",
    "other-certificate",
];
const EAP_TLS_GAP: usize = 400;

/// The same for a PIV card, which gets fewer commands.
const PIV_FAULTS: [&str; 4] = ["empty-9000", "loop-61", "pin-forgotten", "wrong-signature"];
const PIV_GAP: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_troubles_again() {
        let text = |seed| format!("{:?}", FaultPlan::hour(seed).troubles());
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn a_card_that_is_pulled_is_put_back_before_it_is_pulled_again() {
        for seed in 0..50 {
            let mut is_out = [false; CARDS.len()];
            for trouble in FaultPlan::hour(seed).troubles() {
                match trouble.what {
                    What::Pull(card) => assert!(!std::mem::replace(&mut is_out[card], true)),
                    What::PutBack(card, _) => assert!(std::mem::take(&mut is_out[card])),
                    What::Kill(_) => {}
                }
            }
            assert_eq!(is_out, [false; CARDS.len()]);
        }
    }
}

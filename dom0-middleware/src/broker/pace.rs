//! How long a card takes, learned from what it took.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use proto::agent::Door;
use proto::id::IdentityName;

use super::card_time::{CardTime, Drift};
use super::pace_view::{PacesView, SignatureView};
use crate::card::CardFingerprint;

/// What a card takes of which nothing is known: that of the published measurements, which makes whole
/// handshakes in 2.0 s, 0.6 s of them for its signature.
const FULL: Duration = Duration::from_millis(2_000);
const SIGNATURE: Duration = Duration::from_millis(600);

/// How many times as long as a resumed handshake a full one takes, by the same measurements.
const RATIO: u32 = 4;

/// The newest time counts for one part in this many; the first one for all.
const WEIGHT: u32 = 4;

/// What is known of one card.
#[derive(Debug)]
pub(super) struct Pace {
    /// Which card that is, once one was there.
    card: Option<CardFingerprint>,
    known: Known,
}

/// What is known, by the part that the card takes.
#[derive(Debug)]
enum Known {
    Handshakes(Handshakes),
    /// Keys differ in kind, and one may want the PIN each time: so each identity has a pace of its own.
    Signatures(BTreeMap<IdentityName, Kind>),
}

/// What is known of a card that makes whole handshakes.
#[derive(Debug, Default)]
struct Handshakes {
    full: Kind,
    resumed: Kind,
}

/// What is known of one kind of work.
#[derive(Debug, Default)]
struct Kind {
    /// How long the card was held, which the server has a part in: an exponential average.
    held: Option<Duration>,
    /// How long the card itself took.
    card: CardTime,
}

/// A card has become slow at some work, or is as it was again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PaceDrift {
    work: Work,
    drift: Drift,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Work {
    Full,
    Resumed,
    Signature(IdentityName),
}

impl Pace {
    /// Of a card of this door nothing is known but what such cards take.
    pub(super) fn new(door: Door) -> Self {
        Self {
            card: None,
            known: Known::nothing(door, []),
        }
    }

    /// This card is there, with these identities. What was learned of another one is forgotten.
    pub(super) fn serve<'a>(
        &mut self,
        door: Door,
        card: CardFingerprint,
        identities: impl IntoIterator<Item = &'a IdentityName>,
    ) {
        if self.card.as_ref() != Some(&card) {
            self.known = Known::nothing(door, identities);
            self.card = Some(card);
        }
    }

    /// How long a handshake is expected to hold the card.
    pub(super) fn expected(&self, identity: &IdentityName, resumed: bool) -> Duration {
        match &self.known {
            Known::Handshakes(handshakes) => handshakes.expected(resumed),
            // What is resumed here does not need the card.
            Known::Signatures(of) => expected_signature(of, identity),
        }
    }

    /// A handshake held the card for `held`, of which it took `card_time` itself. Tells when that
    /// shows that the card has changed.
    pub(super) fn learn(
        &mut self,
        identity: &IdentityName,
        resumed: bool,
        held: Duration,
        card_time: Duration,
    ) -> Option<PaceDrift> {
        let (kind, work) = match &mut self.known {
            Known::Handshakes(of) if resumed => (&mut of.resumed, Work::Resumed),
            Known::Handshakes(of) => (&mut of.full, Work::Full),
            // Nothing is kept for one that the card does not hold: there are as many as it has.
            Known::Signatures(of) => (of.get_mut(identity)?, Work::Signature(identity.clone())),
        };
        let drift = kind.learn(held, card_time)?;
        Some(PaceDrift { work, drift })
    }

    /// To be shown.
    pub(super) fn view(&self) -> PacesView {
        match &self.known {
            Known::Handshakes(of) => PacesView {
                full: Some(of.full.card.view(of.expected(false))),
                resumed: Some(of.resumed.card.view(of.expected(true))),
                signatures: Vec::new(),
            },
            Known::Signatures(of) => {
                let view = |(identity, kind): (&IdentityName, &Kind)| SignatureView {
                    identity: identity.clone(),
                    pace: kind.card.view(expected_signature(of, identity)),
                };
                PacesView {
                    signatures: of.iter().map(view).collect(),
                    ..PacesView::default()
                }
            }
        }
    }
}

impl Known {
    fn nothing<'a>(door: Door, identities: impl IntoIterator<Item = &'a IdentityName>) -> Self {
        let kind = |identity: &IdentityName| (identity.clone(), Kind::default());
        match door {
            Door::EapTls => Self::Handshakes(Handshakes::default()),
            Door::Piv => Self::Signatures(identities.into_iter().map(kind).collect()),
        }
    }
}

impl Handshakes {
    fn expected(&self, resumed: bool) -> Duration {
        let (full, of_resumed) = (self.full.held, self.resumed.held);
        match resumed {
            true => of_resumed.unwrap_or_else(|| self.expected(false) / RATIO),
            false => {
                let told_by_resumed = || of_resumed?.checked_mul(RATIO);
                full.or_else(told_by_resumed).unwrap_or(FULL)
            }
        }
    }
}

impl Kind {
    fn learn(&mut self, held: Duration, card_time: Duration) -> Option<Drift> {
        self.held = Some(match self.held {
            Some(average) => average - average / WEIGHT + held / WEIGHT,
            None => held,
        });
        self.card.learn(card_time)
    }
}

/// How long a signature takes: as those before it; the first one as those of the card's other identities,
/// on average.
fn expected_signature(of: &BTreeMap<IdentityName, Kind>, identity: &IdentityName) -> Duration {
    if let Some(own) = of.get(identity).and_then(|kind| kind.held) {
        return own;
    }
    let (mut sum, mut count) = (Duration::ZERO, 0_u32);
    for held in of.values().filter_map(|kind| kind.held) {
        sum = sum.saturating_add(held);
        count = count.saturating_add(1);
    }
    sum.checked_div(count).unwrap_or(SIGNATURE)
}

impl PaceDrift {
    /// Whether it has become slow, not well again.
    pub(super) fn is_slow(&self) -> bool {
        self.drift.is_slow
    }
}

impl fmt::Display for PaceDrift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drift = self.drift;
        match &self.work {
            Work::Full => write!(f, "a full handshake takes {drift}"),
            Work::Resumed => write!(f, "a resumed handshake takes {drift}"),
            Work::Signature(identity) => write!(f, "a signature of {identity} takes {drift}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::apdu::Atr;

    use super::*;
    use crate::card::Sight;

    const fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    fn name(name: &str) -> IdentityName {
        name.parse().expect("a name")
    }

    fn fingerprint(byte: u8) -> CardFingerprint {
        let atr = Atr::decode(&[0x3B, byte]).expect("an ATR");
        Sight::new(&atr, &[0; 32]).with_identities(&[])
    }

    fn signing(byte: u8) -> Pace {
        let mut pace = Pace::new(Door::Piv);
        pace.serve(Door::Piv, fingerprint(byte), [&name("9a"), &name("9c")]);
        pace
    }

    #[test]
    fn the_first_measurement_is_believed_and_the_others_move_it() {
        let mut pace = Pace::new(Door::EapTls);
        let web = name("web01");
        assert_eq!(pace.expected(&web, false), FULL);
        pace.learn(&web, false, ms(100), ms(90));
        assert_eq!(pace.expected(&web, false), ms(100));
        pace.learn(&web, false, ms(200), ms(90));
        assert_eq!(pace.expected(&web, false), ms(125));
    }

    #[test]
    fn a_card_that_was_never_seen_is_expected_to_take_what_its_kind_takes() {
        assert_eq!(Pace::new(Door::Piv).expected(&name("9a"), false), SIGNATURE);
        assert_eq!(Pace::new(Door::Piv).view(), PacesView::default());
        let view = Pace::new(Door::EapTls).view();
        let expected = |pace: Option<super::super::PaceView>| pace.map(|pace| pace.expected_ms);
        assert_eq!(expected(view.full), Some(2_000));
        assert_eq!(expected(view.resumed), Some(500));
    }

    #[test]
    fn the_first_signature_of_an_identity_is_expected_to_take_what_others_take() {
        let mut pace = signing(0);
        let (first, second) = (name("9a"), name("9c"));
        assert_eq!(pace.expected(&second, false), SIGNATURE);
        pace.learn(&first, false, ms(100), ms(90));
        assert_eq!(pace.expected(&second, false), ms(100));
        pace.learn(&second, false, ms(300), ms(290));
        assert_eq!(pace.expected(&first, false), ms(100));
        assert_eq!(pace.expected(&second, false), ms(300));
    }

    #[test]
    fn one_kind_of_handshake_tells_of_the_other() {
        let mut pace = Pace::new(Door::EapTls);
        let web = name("web01");
        assert_eq!(pace.expected(&web, true), ms(500));
        pace.learn(&web, true, ms(10), ms(9));
        assert_eq!(pace.expected(&web, false), ms(40));
        pace.learn(&web, false, ms(80), ms(70));
        assert_eq!(pace.expected(&web, true), ms(10));
    }

    #[test]
    fn an_identity_that_is_slow_by_itself_is_no_drift_of_the_card() {
        let mut pace = signing(0);
        let (fast, slow) = (name("9a"), name("9c"));
        for _ in 0..20 {
            assert_eq!(pace.learn(&fast, false, ms(60), ms(50)), None);
        }
        for _ in 0..20 {
            assert_eq!(pace.learn(&slow, false, ms(910), ms(900)), None);
        }
        assert_eq!(pace.expected(&fast, true), ms(60));
        assert_eq!(pace.expected(&slow, false), ms(910));
        let view = pace.view();
        assert_eq!((view.full, view.resumed), (None, None));
        let [first, second] = &view.signatures[..] else {
            panic!("{view:?}");
        };
        assert_eq!((&first.identity, first.pace.card_ms), (&fast, Some(50)));
        assert_eq!((&second.identity, second.pace.measured), (&slow, 20));
    }

    #[test]
    fn a_drift_says_what_has_become_slow() {
        let mut pace = signing(0);
        let drift = (0..40).find_map(|n| {
            let time = if n < 16 { ms(50) } else { ms(200) };
            pace.learn(&name("9c"), false, time, time)
        });
        let drift = drift.expect("slow");
        assert!(drift.is_slow());
        let text = drift.to_string();
        assert!(text.starts_with("a signature of 9c takes "), "{text}");
        assert!(text.ends_with(" ms, 50 ms at first"), "{text}");
    }

    #[test]
    fn what_the_card_does_not_hold_is_not_learned() {
        let mut pace = signing(0);
        assert_eq!(pace.learn(&name("9e"), false, ms(10), ms(10)), None);
        assert_eq!(pace.expected(&name("9e"), false), SIGNATURE);
        assert_eq!(pace.view().signatures.len(), 2);
    }

    #[test]
    fn another_card_begins_anew_and_the_same_one_goes_on() {
        let (identity, mut pace) = (name("9a"), signing(0));
        pace.learn(&identity, false, ms(80), ms(70));
        pace.serve(Door::Piv, fingerprint(0), [&identity]);
        assert_eq!(pace.expected(&identity, false), ms(80), "it came back");
        pace.serve(Door::Piv, fingerprint(1), [&identity]);
        assert_eq!(pace.expected(&identity, false), SIGNATURE, "another one");

        let mut pace = Pace::new(Door::EapTls);
        pace.serve(Door::EapTls, fingerprint(0), [&identity]);
        pace.learn(&identity, false, ms(80), ms(70));
        pace.serve(Door::EapTls, fingerprint(1), [&identity]);
        assert_eq!(pace.expected(&identity, false), FULL);
    }
}

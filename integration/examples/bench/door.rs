//! The two kinds of cards, as parts of the bench use them.

use integration::chain::CardPlan;
use integration::pki::KeyKind;

/// Who makes the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The card.
    EapTls,
    /// The service; the card signs.
    Piv,
}

impl Door {
    pub(crate) const BOTH: [Self; 2] = [Self::EapTls, Self::Piv];

    /// What the names of figures begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::EapTls => "",
            Self::Piv => "piv, ",
        }
    }

    /// A card with as many identities, named by [`Self::identity`].
    pub(crate) fn card(self, seid: &str, identities: usize, key: KeyKind) -> CardPlan {
        let empty = match self {
            Self::EapTls => CardPlan::new(seid),
            Self::Piv => CardPlan::piv(seid),
        };
        (0..identities).fold(empty, |card, number| {
            card.identity(self.identity(number), key)
        })
    }

    /// The name of an identity on such a card, counted from 0.
    pub(crate) fn identity(self, number: usize) -> &'static str {
        let names = match self {
            Self::EapTls => ["first", "second"],
            Self::Piv => ["9a", "9d"],
        };
        names[number]
    }

    /// A timing with which such a card takes about 0.35 s for a full handshake.
    pub(crate) fn third_of_a_second(self) -> &'static str {
        match self {
            Self::EapTls => "paper/5",
            Self::Piv => "paper/2",
        }
    }

    /// A timing with which such a card takes some 100 ms or less for a full handshake.
    pub(crate) fn tenth_of_a_second(self) -> &'static str {
        match self {
            Self::EapTls => "paper/20",
            Self::Piv => "paper/7",
        }
    }
}

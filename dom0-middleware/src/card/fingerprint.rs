//! What a card is known again by.

use std::collections::BTreeMap;
use std::fmt;

use proto::apdu::Atr;
use proto::id::IdentityName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::report::CardIdentity;
use crate::hex::hex;

/// Answer to reset, the application's answer to SELECT, and the certificates of the identities.
///
/// The first two are known before a PIN is sent, and so is the number of a PIV card (CHUID); the rest
/// most EAP-TLS cards show only afterwards. As text it is the SHA-256 of all.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFingerprint {
    sight: Sight,
    /// SHA-256 of each identity's certificate; `None` where the card does not let it be read.
    identities: BTreeMap<IdentityName, Option<String>>,
}

/// What is seen of a card before it gets a PIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    /// The answer to reset, in hexadecimal.
    atr: String,
    /// SHA-256 of the data that answers SELECT.
    application: String,
    /// SHA-256 of the cardholder unique identifier of a PIV card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chuid: Option<String>,
}

impl Sight {
    /// Of a card with that answer to reset, whose application answered SELECT with data of that
    /// SHA-256.
    #[must_use]
    pub fn new(atr: &Atr, application: &[u8; 32]) -> Self {
        Self {
            atr: hex(atr.as_bytes()),
            application: hex(application),
            chuid: None,
        }
    }

    /// With the number of a PIV card, if it has one: the SHA-256 of its CHUID.
    #[must_use]
    pub fn with_chuid(mut self, chuid: Option<&[u8; 32]>) -> Self {
        self.chuid = chuid.map(|digest| hex(digest));
        self
    }

    /// With what the card holds.
    #[must_use]
    pub fn with_identities(self, identities: &[CardIdentity]) -> CardFingerprint {
        let certificate = |der: &Vec<u8>| hex(&Sha256::digest(der));
        CardFingerprint {
            sight: self,
            identities: identities
                .iter()
                .map(|held| {
                    (
                        held.name.clone(),
                        held.certificate.as_ref().map(certificate),
                    )
                })
                .collect(),
        }
    }
}

impl CardFingerprint {
    /// What tells another card from this one before it gets a PIN.
    #[must_use]
    pub fn difference_at_sight(&self, other: &Sight) -> Option<Difference> {
        if self.sight.atr != other.atr {
            return Some(Difference::Atr);
        }
        if self.sight.application != other.application {
            return Some(Difference::Application);
        }
        (self.sight.chuid != other.chuid).then_some(Difference::Chuid)
    }

    /// What tells another card from this one.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        let identities = || (self.identities != other.identities).then_some(Difference::Identities);
        self.difference_at_sight(&other.sight).or_else(identities)
    }
}

impl fmt::Display for CardFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        write!(f, "SHA256:{}", hex(&Sha256::digest(json)))
    }
}

impl fmt::Debug for CardFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// By what a card is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Its answer to reset.
    Atr,
    /// What its application answers to SELECT.
    Application,
    /// Its number, the CHUID.
    Chuid,
    /// Its identities, or their certificates.
    Identities,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Atr => "another answer to reset",
            Self::Application => "another application answers",
            Self::Chuid => "another number (CHUID)",
            Self::Identities => "other identities or certificates",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(byte: u8, application: u8) -> Sight {
        let atr = Atr::decode(&[0x3B, byte]).expect("an ATR");
        Sight::new(&atr, &[application; 32])
    }

    fn with(sight: Sight, certificate: &[u8]) -> CardFingerprint {
        let name = "web01".parse().expect("a name");
        let certificate = Some(certificate.to_vec());
        sight.with_identities(&[CardIdentity {
            name,
            certificate,
            schemes: Vec::new(),
        }])
    }

    #[test]
    fn a_card_is_the_same_only_if_all_three_are() {
        let card = with(sight(0, 0), b"a");
        assert_eq!(card.difference(&with(sight(0, 0), b"a")), None);
        let others = [
            (with(sight(1, 1), b"b"), Difference::Atr),
            (with(sight(0, 1), b"b"), Difference::Application),
            (with(sight(0, 0), b"b"), Difference::Identities),
            (sight(0, 0).with_identities(&[]), Difference::Identities),
        ];
        for (other, difference) in others {
            assert_eq!(card.difference(&other), Some(difference));
            assert_ne!(card.to_string(), other.to_string());
        }
        let numbered = |byte| sight(0, 0).with_chuid(Some(&[byte; 32]));
        let piv = with(numbered(1), b"a");
        for other in [numbered(2), sight(0, 0)] {
            assert_eq!(piv.difference_at_sight(&other), Some(Difference::Chuid));
        }
        assert_eq!(piv.difference(&with(numbered(1), b"a")), None);
        assert_eq!(card.difference_at_sight(&sight(0, 0)), None);
        assert_eq!(
            card.difference_at_sight(&sight(0, 1)),
            Some(Difference::Application)
        );
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let card = with(sight(0, 0), b"a");
        let json = serde_json::to_string(&card).expect("JSON");
        let read: CardFingerprint = serde_json::from_str(&json).expect("own JSON");
        assert_eq!(read, card);
        assert_eq!(read.to_string(), card.to_string());
    }
}

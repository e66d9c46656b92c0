//! Which card belongs to which SEID, and where its PIN is.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::id::Seid;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::fingerprint::CardFingerprint;
use crate::durable;

/// The cards that were adopted: by the operator, or by being the first in the reader of a
/// `[[card]]` of the configuration. No PIN goes to another card under the same SEID.
#[derive(Debug)]
pub struct AdoptedCards {
    /// Where it is kept; `None` for as long as the process lives.
    path: Option<PathBuf>,
    cards: Mutex<BTreeMap<Seid, AdoptedCard>>,
}

/// One adopted card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptedCard {
    /// What it is known again by.
    pub fingerprint: CardFingerprint,
    /// Where its PIN is, if the operator said so with a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_file: Option<PathBuf>,
}

/// The record of adopted cards could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the record of adopted cards is not available: {0}")]
pub struct AdoptionError(String);

impl AdoptedCards {
    /// No cards, kept as long as the process lives.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            path: None,
            cards: Mutex::default(),
        }
    }

    /// Opens the record at `path`, or begins one.
    ///
    /// # Errors
    /// [`AdoptionError`] when it cannot be read, is something else, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, AdoptionError> {
        let cards = match durable::read(path) {
            Ok(cards) => cards.unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let advice = "not a record of adopted cards; moved away, each card that is there \
                              at the next start is taken for the right one";
                return Err(at(path, format_args!("{advice} ({error})")));
            }
            Err(error) => return Err(at(path, error)),
        };
        // Better known at start than when a card is adopted.
        durable::replace(path, &cards).map_err(|error| at(path, error))?;
        Ok(Self {
            path: Some(path.to_owned()),
            cards: Mutex::new(cards),
        })
    }

    /// The card that belongs to a SEID, if one was adopted.
    #[must_use]
    pub fn of(&self, seid: &Seid) -> Option<AdoptedCard> {
        self.lock().get(seid).cloned()
    }

    /// Makes a card the one that belongs to a SEID; it is on disk when this returns.
    ///
    /// # Errors
    /// [`AdoptionError`]; nothing has changed then.
    pub fn adopt(&self, seid: &Seid, card: AdoptedCard) -> Result<(), AdoptionError> {
        let mut cards = self.lock();
        let mut changed = cards.clone();
        changed.insert(seid.clone(), card);
        if changed == *cards {
            return Ok(());
        }
        if let Some(path) = &self.path {
            durable::replace(path, &changed).map_err(|error| at(path, error))?;
        }
        *cards = changed;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Seid, AdoptedCard>> {
        // It is replaced as a whole: a panic elsewhere cannot leave it half done.
        self.cards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at(path: &Path, reason: impl std::fmt::Display) -> AdoptionError {
    AdoptionError(format!("{}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use proto::apdu::Atr;

    use super::super::fingerprint::Sight;
    use super::*;

    fn card(byte: u8) -> AdoptedCard {
        let atr = Atr::decode(&[0x3B, byte]).expect("an ATR");
        AdoptedCard {
            fingerprint: Sight::new(&atr, &[0; 32]).with_identities(&[]),
            pin_file: Some("/etc/pin".into()),
        }
    }

    #[test]
    fn an_adopted_card_is_known_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("cards.json");
        let seid: Seid = "se-00".parse().expect("a SEID");
        let cards = AdoptedCards::open(&path).expect("opened");
        assert_eq!(cards.of(&seid), None);
        cards.adopt(&seid, card(1)).expect("written");
        cards.adopt(&seid, card(2)).expect("written");
        let cards = AdoptedCards::open(&path).expect("opened");
        assert_eq!(cards.of(&seid), Some(card(2)));
    }

    #[test]
    fn what_cannot_be_recorded_is_not_adopted() {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = dir.path().join("gone");
        std::fs::create_dir(&folder).expect("made");
        let cards = AdoptedCards::open(&folder.join("cards.json")).expect("opened");
        std::fs::remove_dir_all(&folder).expect("removed");
        let seid: Seid = "se-00".parse().expect("a SEID");
        assert!(cards.adopt(&seid, card(1)).is_err());
        assert_eq!(cards.of(&seid), None);
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("cards.json");
        std::fs::write(&path, "[1]").expect("written");
        let error = AdoptedCards::open(&path)
            .expect_err("no record")
            .to_string();
        assert!(error.contains("cards.json"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "[1]");
    }
}

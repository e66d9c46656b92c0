//! Which card belongs to which SEID, and where its PIN is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::id::Seid;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::fingerprint::CardFingerprint;

/// The cards that were adopted: by the operator, or by being the first in the reader of a
/// `[[card]]` of the configuration. No PIN goes to another card under the same SEID.
pub struct AdoptedCards {
    keep: KeepCard,
    cards: Mutex<BTreeMap<Seid, AdoptedCard>>,
}

/// Makes it durable and known that a card was adopted; returns when that is done. It is called on
/// the thread of that card's worker, and may wait.
pub type KeepCard =
    Box<dyn Fn(&Seid, &AdoptedCard) -> Result<(), AdoptionError> + Send + Sync + 'static>;

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

/// An adoption could not be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the adoption cannot be recorded: {0}")]
pub struct AdoptionError(pub String);

impl AdoptedCards {
    /// The cards that were adopted before; further ones are given to `keep`.
    #[must_use]
    pub fn new(cards: BTreeMap<Seid, AdoptedCard>, keep: KeepCard) -> Self {
        Self {
            keep,
            cards: Mutex::new(cards),
        }
    }

    /// No cards, kept as long as the process lives.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(BTreeMap::new(), Box::new(|_, _| Ok(())))
    }

    /// The card that belongs to a SEID, if one was adopted.
    #[must_use]
    pub fn of(&self, seid: &Seid) -> Option<AdoptedCard> {
        self.lock().get(seid).cloned()
    }

    /// Makes a card the one that belongs to a SEID; it is kept when this returns.
    ///
    /// # Errors
    /// [`AdoptionError`]; nothing has changed then.
    pub fn adopt(&self, seid: &Seid, card: AdoptedCard) -> Result<(), AdoptionError> {
        // Whoever keeps it may ask what is adopted, and only this worker adopts for this SEID: so
        // the lock is not held meanwhile.
        if self.of(seid).as_ref() != Some(&card) {
            (self.keep)(seid, &card)?;
            self.lock().insert(seid.clone(), card);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Seid, AdoptedCard>> {
        // It is changed in one step: a panic elsewhere cannot leave it half done.
        self.cards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AdoptedCards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AdoptedCards").field(&self.lock()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    fn seid() -> Seid {
        "se-00".parse().expect("a SEID")
    }

    #[test]
    fn only_what_is_new_is_kept() {
        let kept = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&kept);
        let keep: KeepCard = Box::new(move |_, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let cards = AdoptedCards::new([(seid(), card(1))].into(), keep);
        for (byte, expected) in [(1, 0), (2, 1), (2, 1), (1, 2)] {
            cards.adopt(&seid(), card(byte)).expect("kept");
            assert_eq!(kept.load(Ordering::SeqCst), expected);
            assert_eq!(cards.of(&seid()), Some(card(byte)));
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_not_adopted() {
        let keep: KeepCard = Box::new(|_, _| Err(AdoptionError("no room".to_owned())));
        let cards = AdoptedCards::new(BTreeMap::new(), keep);
        assert!(cards.adopt(&seid(), card(1)).is_err());
        assert_eq!(cards.of(&seid()), None);
    }
}

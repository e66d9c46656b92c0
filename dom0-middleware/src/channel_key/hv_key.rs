//! The HV key, wherever it is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hv_card::HvCardError;
use proto::hv::HvSigner;
use thiserror::Error;

use super::hv_card_key::HvCardPlace;
use super::hv_key_file::{HvKeyFile, HvKeyFileError};
use crate::error::Causes;

/// Where the HV key is, and how it was when it was wanted last.
#[derive(Debug, Clone)]
pub struct HvKey {
    place: HvKeyPlace,
    trouble: Arc<Mutex<Trouble>>,
}

/// Where the HV key is.
#[derive(Debug, Clone)]
pub enum HvKeyPlace {
    /// In a file.
    File(HvKeyFile),
    /// In a card.
    Card(HvCardPlace),
}

/// What is wrong with it.
#[derive(Debug, Default)]
struct Trouble {
    /// Its card is not there.
    absent: Option<String>,
    /// It did not sign what was wanted last.
    failed: Option<String>,
}

impl HvKey {
    /// The key in this place.
    #[must_use]
    pub fn new(place: HvKeyPlace) -> Self {
        let trouble = Arc::default();
        Self { place, trouble }
    }

    /// The key, for as long as the value lives. With `for_arrival` its card is waited for.
    ///
    /// # Errors
    /// [`HvKeyError`] when it is not to be had.
    pub fn load(&self, for_arrival: bool) -> Result<Box<dyn HvSigner>, HvKeyError> {
        Ok(match &self.place {
            HvKeyPlace::File(file) => Box::new(file.load()?),
            HvKeyPlace::Card(card) => Box::new(card.load(for_arrival).map_err(HvKeyError::Card)?),
        })
    }

    /// Lends the key for a signature; what comes of it is remembered.
    ///
    /// # Errors
    /// Why the key is not to be had, or what `work` says.
    pub(crate) fn lend<T>(
        &self,
        work: impl FnOnce(&dyn HvSigner) -> Result<T, String>,
    ) -> Result<T, String> {
        let loaded = self.load(false);
        let loaded = loaded.map_err(|error| Causes(&error).to_string());
        let done = loaded.and_then(|signer| work(&*signer));
        self.trouble().failed = done.as_ref().err().cloned();
        done
    }

    /// Looks whether a key in a card is where it belongs; what has changed since the last look.
    pub(crate) fn look(&self) -> Option<Presence> {
        let HvKeyPlace::Card(card) = &self.place else {
            return None;
        };
        let absent = card.look().err().map(|error| error.to_string());
        let mut trouble = self.trouble();
        let changed = trouble.absent.is_some() != absent.is_some();
        trouble.absent.clone_from(&absent);
        changed.then_some(match absent {
            Some(why) => Presence::Gone(why),
            None => Presence::Back,
        })
    }

    /// The name of a key in a card.
    pub(crate) fn card(&self) -> Option<String> {
        match &self.place {
            HvKeyPlace::File(_) => None,
            HvKeyPlace::Card(card) => Some(card.name.to_string()),
        }
    }

    /// What is wrong with the key, as far as is known.
    pub(crate) fn problem(&self) -> Option<String> {
        let trouble = self.trouble();
        trouble.absent.clone().or_else(|| trouble.failed.clone())
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As the configuration has it.
impl fmt::Display for HvKeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.path().display().fmt(f),
            Self::Card(card) => card.name.fmt(f),
        }
    }
}

/// What has become of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is not there any more, and why.
    Gone(String),
    /// It is there again.
    Back,
}

/// Why the HV key is not to be had.
#[derive(Debug, Error)]
pub enum HvKeyError {
    /// Its file.
    #[error(transparent)]
    File(#[from] HvKeyFileError),
    /// Its card, which who wanted the key has named.
    #[error("{}", _0.fault)]
    Card(HvCardError),
}

impl HvKeyError {
    /// Whether it is in a card that is not there now.
    #[must_use]
    pub fn is_absent_card(&self) -> bool {
        matches!(self, Self::Card(error) if error.is_absence())
    }
}

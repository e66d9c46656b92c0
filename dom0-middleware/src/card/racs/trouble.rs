//! Why the element is not to be had, or not any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::racs::SeidToken;
use tracing::warn;

use crate::card::transport::{SourceTrouble, TransportError};
use crate::racs::client::{GridError, GridProblem};

/// What is wrong, as whoever spoke to the grid last knows it: a card that is lost knows it before the
/// source has looked again, which may wait.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    seid: SeidToken,
    is: Arc<Mutex<Option<SourceTrouble>>>,
}

impl Trouble {
    /// None yet with the element `seid`.
    pub(super) fn none(seid: SeidToken) -> Self {
        let is = Arc::default();
        Self { seid, is }
    }

    pub(super) fn note(&self, error: &GridError) {
        *self.lock() = Some(self.of(error));
    }

    /// The same, unless something is wrong already of which this follows.
    pub(super) fn note_what_follows(&self, error: &GridError) {
        self.lock().get_or_insert_with(|| self.of(error));
    }

    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    pub(super) fn now(&self) -> Option<SourceTrouble> {
        self.lock().clone()
    }

    /// What a grid's failure means for the card.
    pub(super) fn fault(&self, error: &GridError) -> TransportError {
        match &error.problem {
            GridProblem::TimedOut { .. } => {
                self.note(error);
                TransportError::TimedOut
            }
            GridProblem::Refused { code, .. } => {
                warn!(%error, "the grid refused");
                match code.class {
                    // Held by another, without power, or its reader is gone.
                    7..=9 => {
                        self.note(error);
                        TransportError::Removed
                    }
                    _ => TransportError::Refused(error.to_string()),
                }
            }
            GridProblem::TooLong => TransportError::Refused(error.to_string()),
            _ => {
                warn!(%error, "the grid is lost");
                self.note(error);
                TransportError::Removed
            }
        }
    }

    fn of(&self, error: &GridError) -> SourceTrouble {
        SourceTrouble::Grid {
            seid: self.seid.to_string(),
            next: error.problem.next(),
            why: error.to_string(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<SourceTrouble>> {
        // Each change is one.
        self.is.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

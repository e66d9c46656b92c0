//! A bound on what a card can make a machine do.

use super::fault::{CardFault, CardStep};

/// How many commands a machine may still send.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    left: u32,
    max: u32,
}

impl Counter {
    pub(super) fn new(max: u32) -> Self {
        Self { left: max, max }
    }

    pub(super) fn count(&mut self, step: CardStep) -> Result<(), CardFault> {
        self.left = self.left.checked_sub(1).ok_or(CardFault::TooManyCommands {
            step,
            max: self.max,
        })?;
        Ok(())
    }
}

//! The element of a grid as a place where a card comes from.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use proto::racs::SeidToken;

use super::fetching::Fetching;
use super::transport::{Patience, RacsTransport};
use super::trouble::Trouble;
use crate::card::transport::{CardSource, CardTransport, SourceTrouble, TransportError};
use crate::racs::client::{Grid, GridError, Session};

/// An element of a grid.
///
/// It is connected to as soon as somebody asks for a card, and again when the connection was lost; a grid
/// that cannot be reached is tried less and less often, every 30 s at last.
pub struct RacsSource {
    pub(super) grid: Grid,
    seid: SeidToken,
    /// One whose element was not to be had.
    waiting: Option<Session>,
    trouble: Trouble,
    try_at: Instant,
    wait: Duration,
    pub(super) patience: Patience,
    /// Set when the grid was seen to have no room for answers that it fetches.
    fetches_no_more: Arc<AtomicBool>,
}

impl RacsSource {
    /// The element `seid` of `grid`.
    #[must_use]
    pub fn new(grid: Grid, seid: SeidToken) -> Self {
        Self {
            trouble: Trouble::none(seid.clone()),
            grid,
            seid,
            waiting: None,
            try_at: Instant::now(),
            wait: FIRST_WAIT,
            patience: Patience::USUAL,
            fetches_no_more: Arc::default(),
        }
    }

    /// Tries again as soon as it is asked.
    #[cfg(test)]
    pub(super) fn forget_wait(&mut self) {
        self.try_at = Instant::now();
    }

    fn take(&mut self, deadline: Instant) -> Result<RacsTransport, GridError> {
        let mut waiting = self.waiting.take();
        let replace_after = self.grid.rules.replace_after();
        let is_good = |session: &mut Session| {
            session.is_open()
                && replace_after.is_none_or(|limit| session.age(Instant::now()) < limit)
        };
        let mut session = match waiting.take_if(is_good) {
            Some(session) => session,
            None => self.grid.connect(deadline)?,
        };
        match session.power_on(&self.seid, deadline) {
            Ok(status) => {
                let (grid, seid) = (&self.grid, &self.seid);
                Ok(RacsTransport::new(
                    grid,
                    seid,
                    session,
                    &status,
                    self.patience,
                    Fetching::new(&self.fetches_no_more),
                    self.trouble.clone(),
                ))
            }
            Err(error) => {
                // The network is in order, the card is not to be had: it is asked for again on the same
                // connection, soon.
                if session.is_open() {
                    self.wait = FIRST_WAIT;
                    self.waiting = Some(session);
                }
                Err(error)
            }
        }
    }
}

impl CardSource for RacsSource {
    fn poll(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Box<dyn CardTransport>>, TransportError> {
        if Instant::now() < self.try_at {
            return Ok(None);
        }
        match self.take(deadline) {
            Ok(transport) => {
                self.trouble.clear();
                self.wait = FIRST_WAIT;
                // What is lost right after is not asked for without a break.
                self.try_at = Instant::now() + FIRST_WAIT;
                Ok(Some(Box::new(transport)))
            }
            Err(error) => {
                self.trouble.note(&error);
                self.try_at = Instant::now() + self.wait;
                self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
                Ok(None)
            }
        }
    }

    fn trouble(&self) -> Option<SourceTrouble> {
        self.trouble.now()
    }
}

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

//! The card's clock, set by each start packet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

/// A card has no clock of its own: it knows the time of the last start packet, 1970 before that.
#[derive(Debug, Default)]
pub(super) struct CardClock(AtomicU64);

impl CardClock {
    /// Sets the clock, in seconds since 1970.
    pub(super) fn set(&self, unix_seconds: u32) {
        self.0.store(u64::from(unix_seconds), Ordering::Relaxed);
    }
}

impl TimeProvider for CardClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

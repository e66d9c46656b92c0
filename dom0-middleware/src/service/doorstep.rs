//! How many connections of one channel are on their way in at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a connection whose TLS handshake failed keeps its place. A handshake costs us about what
/// it costs the guest; with this, those that lead to nothing are few in a second.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// The places of one channel. Who finds none waits to be accepted, which the guest's system bounds.
#[derive(Debug, Clone)]
pub(super) struct Doorstep(Arc<Semaphore>);

/// A place of one connection, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place(OwnedSemaphorePermit);

impl Doorstep {
    /// With as many places as a domain may have connections.
    pub(super) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits for a place.
    pub(super) async fn place(&self) -> Place {
        let place = Arc::clone(&self.0).acquire_owned().await;
        Place(place.expect("the semaphore is never closed"))
    }
}

impl Place {
    /// The connection came to nothing.
    pub(super) async fn after_failure(self) {
        tokio::time::sleep(FAILURE_PAUSE).await;
        drop(self.0);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_but_for_those_of_the_same_channel() {
        let doorstep = Doorstep::new(2);
        let first = doorstep.place().await;
        let second = doorstep.place().await;
        let third = timeout(FAILURE_PAUSE, doorstep.place()).await;
        assert!(third.is_err(), "both places are taken");
        drop(first);
        let third = doorstep.place().await;
        let began = Instant::now();
        tokio::join!(second.after_failure(), doorstep.place());
        assert_eq!(began.elapsed(), FAILURE_PAUSE);
        drop(third);
    }
}

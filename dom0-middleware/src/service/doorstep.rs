//! How many connections of one channel are on their way in at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a connection keeps its place after its TLS handshake. A handshake costs us about what it
/// costs the guest; with this, those of one guest are few in a second, whatever they lead to.
const PAUSE: Duration = Duration::from_millis(100);

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
    /// The handshake is over and the connection came to nothing.
    pub(super) async fn after_failure(self) {
        tokio::time::sleep(PAUSE).await;
        drop(self.0);
    }

    /// The handshake is over and the connection goes on, for however long.
    pub(super) fn after_handshake(self) {
        tokio::spawn(self.after_failure());
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
        let third = timeout(PAUSE, doorstep.place()).await;
        assert!(third.is_err(), "both places are taken");
        drop(first);
        let third = doorstep.place().await;
        let began = Instant::now();
        tokio::join!(second.after_failure(), doorstep.place());
        assert_eq!(began.elapsed(), PAUSE);
        let fourth = doorstep.place().await;
        fourth.after_handshake();
        drop(doorstep.place().await);
        assert_eq!(began.elapsed(), PAUSE * 2);
        drop(third);
    }
}

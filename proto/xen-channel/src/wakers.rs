//! Two tasks that wait for one event channel.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Reading,
    Writing,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Reading => Self::Writing,
            Self::Writing => Self::Reading,
        }
    }
}

/// Whoever reads and whoever writes. A sign on the event channel does not say for whom it is, so it
/// wakes both.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    reading: Mutex<Option<Waker>>,
    writing: Mutex<Option<Waker>>,
}

impl Wakers {
    /// Remembers whom to wake.
    pub(crate) fn set(&self, side: Side, waker: &Waker) {
        match &mut *self.waiting(side) {
            Some(old) => old.clone_from(waker),
            place => *place = Some(waker.clone()),
        }
    }

    /// Wakes whoever waits there.
    pub(crate) fn wake(&self, side: Side) {
        let waiting = self.waiting(side).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    fn waiting(&self, side: Side) -> MutexGuard<'_, Option<Waker>> {
        let waiting = match side {
            Side::Reading => &self.reading,
            Side::Writing => &self.writing,
        };
        // Nothing that holds it can panic halfway.
        waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        Self::wake(&self, Side::Reading);
        Self::wake(&self, Side::Writing);
    }
}

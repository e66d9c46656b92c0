//! Closing where it may take time.

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};

use tokio::runtime::Handle as Runtime;

/// What is given up only when a vchan is closed for good.
pub(crate) type Keepsake = Box<dyn Send>;

/// Something whose end may block: a server's, which removes its keys from xenstore. Dropping this
/// never blocks, it ends on a thread made for that.
pub(crate) struct Closing<T: Send + 'static> {
    inside: Option<(T, Keepsake)>,
}

impl<T: Send + 'static> Closing<T> {
    /// `keepsake` is dropped after `value`.
    pub(crate) fn new(value: T, keepsake: Keepsake) -> Self {
        Self {
            inside: Some((value, keepsake)),
        }
    }

    /// Changes what is inside; what cannot be changed ends.
    pub(crate) fn try_map<U: Send + 'static, E>(
        mut self,
        change: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Closing<U>, E> {
        let (value, keepsake) = self.inside.take().expect(FULL);
        Ok(Closing::new(change(value)?, keepsake))
    }

    /// Never closes it; the keepsake is dropped.
    pub(crate) fn forsake(mut self) {
        if let Some((value, _keepsake)) = self.inside.take() {
            mem::forget(value);
        }
    }
}

/// Why there is something inside.
const FULL: &str = "it is taken out when it ends";

impl<T: Send + 'static> Deref for Closing<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let (value, _) = self.inside.as_ref().expect(FULL);
        value
    }
}

impl<T: Send + 'static> DerefMut for Closing<T> {
    fn deref_mut(&mut self) -> &mut T {
        let (value, _) = self.inside.as_mut().expect(FULL);
        value
    }
}

impl<T: Send + 'static> Drop for Closing<T> {
    fn drop(&mut self) {
        let Some(inside) = self.inside.take() else {
            return;
        };
        let close = move || {
            let (value, keepsake) = inside;
            drop(value);
            drop(keepsake);
        };
        match Runtime::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(close)),
            // Without a runtime there is nobody to keep waiting.
            Err(_) => close(),
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Closing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}

//! Waiting for changes.

use tokio::sync::mpsc;

use crate::client::Xenstore;
use crate::error::XenstoreError;

/// A watch on a node and all below it. Dropping it takes it back.
#[derive(Debug)]
pub struct Watch {
    store: Xenstore,
    path: String,
    token: u32,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    pub(crate) fn new(
        store: Xenstore,
        path: &str,
        token: u32,
        changes: mpsc::Receiver<()>,
    ) -> Self {
        Self {
            store,
            path: path.to_owned(),
            token,
            changes,
        }
    }

    /// Waits until something has changed since this last said so. The first time it does not wait.
    /// It tells neither what has changed nor how often. Nothing is lost when it is dropped.
    ///
    /// # Errors
    /// [`XenstoreError::Ended`], when the connection has.
    pub async fn changed(&mut self) -> Result<(), XenstoreError> {
        let changed = self.changes.recv().await;
        changed.ok_or_else(|| self.store.ended())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.store.unwatch(&self.path, self.token);
    }
}

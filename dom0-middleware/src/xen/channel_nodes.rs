//! The nodes in xenstore at which guests find their vchans.
//!
//! ```text
//! /local/domain/0/data/tessera/7                 n0 r7: dom0's, which domain 7 may read
//! /local/domain/0/data/tessera/7/ring-ref        libxenvchan writes these two
//! /local/domain/0/data/tessera/7/event-channel
//! /local/domain/0/data/tessera-racs/7            the same once more, for a domain that may send APDUs to
//!                                                its card: one vchan has one client
//! ```
//!
//! They are in dom0's own tree, where no guest can write. A node is made empty and gets its
//! permissions before anything is written below it.

use std::sync::Arc;
use std::time::Duration;

use proto::id::DomId;
use tokio::sync::Mutex;
use tokio::time::timeout;
use xenstore_client::{Watch, Xenstore, XenstoreError};

/// What those for agents are below.
const AGENTS: &str = "/local/domain/0/data/tessera";
/// What those for RACS are below.
const RACS: &str = "/local/domain/0/data/tessera-racs";

/// Time for one request to xenstored.
const DEADLINE: Duration = Duration::from_secs(5);

/// Makes and removes them, over one connection that all who make vchans share.
#[derive(Debug, Clone)]
pub(crate) struct ChannelNodes {
    folder: &'static str,
    store: Arc<Mutex<Option<Xenstore>>>,
}

/// Why a node cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    /// xenstored says no, or is not there.
    #[error("xenstore: {0}")]
    Store(#[from] XenstoreError),
    /// xenstored does not answer.
    #[error("xenstored has not answered within {} s", DEADLINE.as_secs())]
    Late,
}

impl ChannelNodes {
    /// Those where agents find dom0.
    pub(crate) fn for_agents() -> Self {
        Self {
            folder: AGENTS,
            store: Arc::default(),
        }
    }

    /// Those where guests find it that send APDUs to their own cards, over the same connection: xenstored
    /// takes few at a time.
    pub(crate) fn for_racs(&self) -> Self {
        Self {
            folder: RACS,
            store: Arc::clone(&self.store),
        }
    }

    /// Where the guest with this domid finds its vchan.
    pub(crate) fn path(&self, domid: DomId) -> String {
        format!("{}/{domid}", self.folder)
    }

    /// Removes what an earlier run has left there.
    pub(crate) async fn clear(&self) -> Result<(), NodeError> {
        self.with_store(async |store| store.remove(self.folder).await.map(drop))
            .await
    }

    /// Makes the node for a domid: stale things removed, empty, readable by that domain alone.
    pub(crate) async fn make(&self, domid: DomId) -> Result<(), NodeError> {
        let path = self.path(domid);
        self.with_store(async |store| {
            store.remove(&path).await?;
            store.make(&path).await?;
            store.set_permissions(&path, 0, &[domid.0]).await
        })
        .await
    }

    /// Removes the node for a domid.
    pub(crate) async fn remove(&self, domid: DomId) -> Result<(), NodeError> {
        let path = self.path(domid);
        self.with_store(async |store| store.remove(&path).await.map(drop))
            .await
    }

    /// Waits until the keys that libxenvchan has written are not there any more, or nobody can say
    /// whether they are.
    pub(crate) async fn keys_gone(&self, domid: DomId) {
        let path = self.path(domid);
        let Ok(mut watch) = self.watch(&path).await else {
            return;
        };
        let key = format!("{path}/ring-ref");
        while watch.changed().await.is_ok() {
            let read = self.with_store(async |store| store.read(&key).await);
            if !matches!(read.await, Ok(Some(_))) {
                return;
            }
        }
    }

    async fn watch(&self, path: &str) -> Result<Watch, NodeError> {
        self.with_store(async |store| store.watch(path).await).await
    }

    /// Asks over the connection there is, or another one; one over which something failed is not
    /// used again.
    async fn with_store<T>(
        &self,
        ask: impl AsyncFnOnce(&Xenstore) -> Result<T, XenstoreError>,
    ) -> Result<T, NodeError> {
        let asking = async {
            let store = self.store().await?;
            ask(&store).await
        };
        let answer = match timeout(DEADLINE, asking).await {
            Ok(answer) => answer.map_err(NodeError::from),
            Err(_) => Err(NodeError::Late),
        };
        if answer.is_err() {
            *self.store.lock().await = None;
        }
        answer
    }

    async fn store(&self) -> Result<Xenstore, XenstoreError> {
        let mut place = self.store.lock().await;
        if let Some(store) = &*place {
            return Ok(store.clone());
        }
        let store = Xenstore::connect().await?;
        *place = Some(store.clone());
        Ok(store)
    }
}

//! A connection to xenstored, as far as the follower needs one.

use std::io::{self, ErrorKind};

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use xenstore_client::{ErrorName, Watch, Xenstore, XenstoreError};

use super::store::{Connect, Store, StoreError, Value};

/// Connects to the xenstored of this host.
#[derive(Debug)]
pub(super) struct Xenstored;

impl Connect for Xenstored {
    type Store = Connection;

    async fn connect(&self) -> Result<Connection, StoreError> {
        let store = Xenstore::connect().await?;
        let watches = Watches {
            introduced: store.watch("@introduceDomain").await?,
            released: store.watch("@releaseDomain").await?,
        };
        Ok(Connection {
            store,
            watches: Mutex::new(watches),
        })
    }
}

/// One connection with its watches.
#[derive(Debug)]
pub(super) struct Connection {
    store: Xenstore,
    watches: Mutex<Watches>,
}

/// What tells that domains came or went.
#[derive(Debug)]
struct Watches {
    introduced: Watch,
    released: Watch,
}

impl Store for Connection {
    async fn directory(&self, path: &str) -> Result<Vec<String>, StoreError> {
        let children = self.store.directory(path).await?;
        children.ok_or_else(|| io::Error::from(ErrorKind::NotFound).into())
    }

    async fn read(&self, paths: Vec<String>) -> Result<Vec<Value>, StoreError> {
        let mut values = vec![Value::Absent; paths.len()];
        let mut reads = JoinSet::new();
        for (position, path) in paths.into_iter().enumerate() {
            let store = self.store.clone();
            reads.spawn(async move { (position, store.read(&path).await) });
        }
        while let Some(read) = reads.join_next().await {
            let (position, value) = read.map_err(io::Error::from)?;
            if let Some(place) = values.get_mut(position) {
                *place = classify(value?);
            }
        }
        Ok(values)
    }

    async fn changed(&self) {
        let mut watches = self.watches.lock().await;
        let Watches {
            introduced,
            released,
        } = &mut *watches;
        // That the connection has ended is a change too: who looks then finds out why.
        let _changed_or_ended = tokio::select! {
            changed = introduced.changed() => changed,
            changed = released.changed() => changed,
        };
    }
}

fn classify(value: Option<Vec<u8>>) -> Value {
    match value.map(String::from_utf8) {
        None => Value::Absent,
        Some(Ok(text)) => Value::Text(text),
        Some(Err(_)) => Value::NotText,
    }
}

impl From<XenstoreError> for StoreError {
    fn from(error: XenstoreError) -> Self {
        match error {
            XenstoreError::Connect { source, .. } => Self::Connect(source),
            XenstoreError::Refused(ErrorName::Access) => {
                Self::Io(ErrorKind::PermissionDenied.into())
            }
            error => Self::Io(io::Error::other(error)),
        }
    }
}

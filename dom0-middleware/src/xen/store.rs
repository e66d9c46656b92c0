//! What is wanted of a connection to xenstored.

use std::future::Future;
use std::io;
use std::time::Duration;

use thiserror::Error;

/// Makes connections to xenstored.
pub(super) trait Connect: Send + 'static {
    /// What it makes.
    type Store: Store;

    /// Connects and sets the watches.
    fn connect(&self) -> impl Future<Output = Result<Self::Store, StoreError>> + Send;
}

/// One connection to xenstored. After an error it is given up, and so it is after a call that was.
///
/// No call has a deadline of its own: who calls has one.
pub(super) trait Store: Send + Sync {
    /// The names of a node's children.
    fn directory(&self, path: &str)
    -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// What stands at each of these paths, in their order.
    fn read(
        &self,
        paths: Vec<String>,
    ) -> impl Future<Output = Result<Vec<Value>, StoreError>> + Send;

    /// Waits until a domain was introduced or released since this was last asked, or the connection
    /// has ended.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

/// What stands at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// Bytes that are no text.
    NotText,
    /// Nothing: there is no such node.
    Absent,
}

/// Why xenstore cannot be asked.
#[derive(Debug, Error)]
pub(super) enum StoreError {
    /// Nobody listens, or not to us.
    #[error("cannot connect to xenstored")]
    Connect(#[source] io::Error),
    /// No answer in time.
    #[error("no answer of xenstored within {} ms", .0.as_millis())]
    Late(Duration),
    /// The connection broke, or the answer is not one.
    #[error("xenstored")]
    Io(#[from] io::Error),
    /// dom0 is not in its own list of domains: a daemon that has just started and was told nothing
    /// yet. What it does not know of is not gone.
    #[error("xenstored does not know of dom0 yet")]
    Empty,
}

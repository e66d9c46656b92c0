//! A connection to xenstored through xenstore-rs.
//!
//! That package (0.8.0) needs some care, all of which is here:
//!
//! - After the daemon has ended, or while it does not answer, a call never returns, and the tasks
//!   that the package has spawned hold the socket. So each connection has a runtime of its own,
//!   and giving the connection up ends its tasks and closes its socket.
//! - A watch whose events nobody takes stops everything. So a task takes them at once.
//! - At most 32 requests may wait; one more is dropped. So there are at most 16.
//! - It cannot list a node whose children do not fit one answer: see `directory_part`.

use std::env;
use std::future::poll_fn;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use xenstore_rs::tokio::XsTokio;
use xenstore_rs::{AsyncWatch, AsyncXs};

use super::directory_part;
use super::store::{Connect, Store, StoreError, Value};

/// Where xenstored listens unless `XENSTORED_PATH` in the environment says otherwise. Without a
/// daemon there, as with a xenstore domain, `/dev/xen/xenbus` is used.
pub const DEFAULT_SOCKET: &str = "/run/xenstored/socket";

/// What tells that domains came or went.
const WATCHED: [&str; 2] = ["@introduceDomain", "@releaseDomain"];

/// Requests that may wait for an answer at the same time.
const MAX_IN_FLIGHT: usize = 16;

/// The socket of xenstored.
#[must_use]
pub fn socket_path() -> PathBuf {
    env::var_os("XENSTORED_PATH").map_or_else(|| DEFAULT_SOCKET.into(), PathBuf::from)
}

/// Connects through xenstore-rs.
#[derive(Debug)]
pub(super) struct XenstoreRs;

impl Connect for XenstoreRs {
    type Store = Connection;

    async fn connect(&self) -> Result<Connection, StoreError> {
        Connection::open().await
    }
}

/// One connection with its watches.
#[derive(Debug)]
pub(super) struct Connection {
    xs: XsTokio,
    changed: Arc<Notify>,
    runtime: OwnRuntime,
}

impl Connection {
    async fn open() -> Result<Self, StoreError> {
        let runtime = OwnRuntime::new()?;
        let opened = runtime.get().spawn(XsTokio::new()).await;
        let xs = opened.map_err(io::Error::from)?.map_err(socket_error)?;
        let changed = Arc::new(Notify::new());
        for path in WATCHED {
            let (set, is_set) = oneshot::channel();
            let watching = watch(xs.clone(), path, Arc::clone(&changed), set);
            runtime.get().spawn(watching);
            is_set.await.map_err(io::Error::other)??;
        }
        Ok(Self {
            xs,
            changed,
            runtime,
        })
    }
}

/// Without a socket the package has tried the device; what is wrong is the socket.
fn socket_error(of_device: io::Error) -> StoreError {
    let of_socket = UnixStream::connect(socket_path()).err();
    StoreError::Connect(of_socket.unwrap_or(of_device))
}

/// Sets a watch, says that it is set, and passes on its events.
async fn watch(
    xs: XsTokio,
    path: &'static str,
    changed: Arc<Notify>,
    set: oneshot::Sender<io::Result<()>>,
) {
    let watch = xs.watch(path).await;
    match watch {
        Err(error) => {
            let _ = set.send(Err(error));
        }
        Ok(mut events) => {
            let _ = set.send(Ok(()));
            while poll_fn(|cx| Pin::new(&mut events).poll_next(cx))
                .await
                .is_some()
            {
                changed.notify_one();
            }
        }
    }
}

impl Store for Connection {
    async fn directory(&self, path: &str) -> Result<Vec<String>, StoreError> {
        match self.xs.directory(path).await {
            Ok(children) => Ok(children.into_iter().map(String::from).collect()),
            // This is what the package makes of E2BIG.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(directory_part::directory(&socket_path(), path).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn read(&self, paths: Vec<String>) -> Result<Vec<Value>, StoreError> {
        let mut values = vec![Value::Absent; paths.len()];
        let mut paths = paths.into_iter().enumerate();
        let mut reads = JoinSet::new();
        loop {
            while reads.len() < MAX_IN_FLIGHT
                && let Some((position, path)) = paths.next()
            {
                let xs = self.xs.clone();
                let read = async move { (position, xs.read(&path).await) };
                reads.spawn_on(read, self.runtime.get().handle());
            }
            let Some(read) = reads.join_next().await else {
                return Ok(values);
            };
            let (position, value) = read.map_err(io::Error::from)?;
            if let Some(place) = values.get_mut(position) {
                *place = classify(value)?;
            }
        }
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn classify(value: io::Result<Box<str>>) -> io::Result<Value> {
    match value {
        Ok(text) => Ok(Value::Text(text.into())),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Ok(Value::Absent),
            io::ErrorKind::InvalidData => Ok(Value::NotText),
            _ => Err(error),
        },
    }
}

/// A runtime that ends with its value, whatever its tasks wait for.
#[derive(Debug)]
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("xenstore")
            .enable_io()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    fn get(&self) -> &Runtime {
        self.0.as_ref().expect("it is taken only when dropped")
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

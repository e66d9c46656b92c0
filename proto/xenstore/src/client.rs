//! What can be asked of xenstored.

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::error::XenstoreError;
use crate::task::{EndWhenDropped, Outgoing, Shared, Task, Waiting};
use crate::transport::Transport;
use crate::watch::Watch;
use crate::wire::{Kind, names, terminated};

/// Requests that may be on their way at the same time; more wait for their turn.
pub(crate) const MAX_WAITING: usize = 64;

/// The longest path (`XENSTORE_ABS_PATH_MAX`).
const MAX_PATH: usize = 3_072;

/// One connection to xenstored.
///
/// Clones share it. It ends with the last of them and of its [`Watch`]es, or when xenstored does.
/// A call that is dropped before its answer leaves it usable; what was asked may be done all the
/// same.
#[derive(Clone)]
pub struct Xenstore(Arc<Handle>);

struct Handle {
    shared: Shared,
    queue: mpsc::UnboundedSender<Outgoing>,
    room: Arc<Semaphore>,
    /// Its end is seen by the task.
    _in_use: oneshot::Sender<Infallible>,
}

impl Xenstore {
    /// Connects to xenstored: to its socket ([`socket_path`](crate::socket_path)), or where there
    /// is none and `XENSTORED_PATH` is not set, through the device ([`DEVICE`](crate::DEVICE)).
    ///
    /// # Errors
    /// [`XenstoreError::Connect`].
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub async fn connect() -> Result<Self, XenstoreError> {
        Self::over(Transport::open().await?, Path::new(crate::DEVICE))
    }

    /// Connects through this socket or device.
    ///
    /// # Errors
    /// [`XenstoreError::Connect`].
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O.
    pub async fn connect_to(path: &Path) -> Result<Self, XenstoreError> {
        Self::over(Transport::open_at(path).await?, path)
    }

    pub(crate) fn over(transport: Transport, path: &Path) -> Result<Self, XenstoreError> {
        let window = transport.window();
        let (source, sink) = transport.split().map_err(|source| XenstoreError::Connect {
            path: path.to_owned(),
            source,
        })?;
        let shared = Shared::default();
        let (queue, to_send) = mpsc::unbounded_channel();
        let (in_use, is_unused) = oneshot::channel();
        let task = Task {
            source,
            sink,
            window,
            queue: to_send,
            end: EndWhenDropped(shared.clone()),
            in_use: is_unused,
        };
        tokio::spawn(task.run());
        Ok(Self(Arc::new(Handle {
            shared,
            queue,
            room: Arc::new(Semaphore::new(MAX_WAITING)),
            _in_use: in_use,
        })))
    }

    /// The value of a node; `None` when there is no such node.
    ///
    /// # Errors
    /// [`XenstoreError`].
    pub async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, XenstoreError> {
        present(self.request(Kind::Read, &[path], b"").await)
    }

    /// Writes a node. It and those above it are made if they are missing, with the permissions of
    /// the next one above. Path and value are at most 4,095 bytes together, 4,079 through the
    /// device.
    ///
    /// # Errors
    /// [`XenstoreError`].
    pub async fn write(&self, path: &str, value: &[u8]) -> Result<(), XenstoreError> {
        self.request(Kind::Write, &[path], value).await.map(drop)
    }

    /// Makes an empty node if it is missing, and those above it. The value of one that is there is
    /// not changed.
    ///
    /// # Errors
    /// [`XenstoreError`].
    pub async fn make(&self, path: &str) -> Result<(), XenstoreError> {
        self.request(Kind::Mkdir, &[path], b"").await.map(drop)
    }

    /// Removes a node with all below it. `false`: there was none, and none above it either.
    ///
    /// # Errors
    /// [`XenstoreError`].
    pub async fn remove(&self, path: &str) -> Result<bool, XenstoreError> {
        let removed = present(self.request(Kind::Rm, &[path], b"").await)?;
        Ok(removed.is_some())
    }

    /// Gives a node to domain `owner`, which may then do anything with it; `readers` may read it,
    /// nobody else may do anything. What dom0 may do is not limited.
    ///
    /// # Errors
    /// [`XenstoreError`].
    pub async fn set_permissions(
        &self,
        path: &str,
        owner: u16,
        readers: &[u16],
    ) -> Result<(), XenstoreError> {
        let readers = readers.iter().map(|domid| format!("r{domid}"));
        let who: Vec<String> = [format!("n{owner}")].into_iter().chain(readers).collect();
        let mut texts = vec![path];
        texts.extend(who.iter().map(String::as_str));
        self.request(Kind::SetPerms, &texts, b"").await.map(drop)
    }

    /// Who may use a node: `n`, `r`, `w` or `b` (nothing, read, write, both) and a domid each. The
    /// first is the owner, whose letter is for all who are not named. `None`: no such node.
    ///
    /// # Errors
    /// [`XenstoreError`].
    pub async fn permissions(&self, path: &str) -> Result<Option<Vec<String>>, XenstoreError> {
        let answer = present(self.request(Kind::GetPerms, &[path], b"").await)?;
        answer.map(|payload| texts(&payload)).transpose()
    }

    /// Watches a node and all below it. The first change is told at once: that the watch is set.
    /// `@introduceDomain` and `@releaseDomain` are told when domains come and go.
    ///
    /// # Errors
    /// [`XenstoreError`].
    pub async fn watch(&self, path: &str) -> Result<Watch, XenstoreError> {
        check(path)?;
        // First of all, so that no more are taken back than can be on their way.
        let room = self.room().await;
        let (watcher, changes) = mpsc::channel(1);
        let token = self.0.shared.watch(watcher)?;
        // From here on, dropping it takes the watch back.
        let watch = Watch::new(self.clone(), path, token, changes);
        let texts = [path, &token.to_string()];
        self.request_in(room, Kind::Watch, &texts, b"").await?;
        Ok(watch)
    }

    /// Takes a watch back, without waiting for the answer.
    pub(crate) fn unwatch(&self, path: &str, token: u32) {
        let Handle { shared, queue, .. } = &*self.0;
        shared.unwatch(token);
        let payload = terminated([path, &token.to_string()]);
        if let Ok(Some(outgoing)) = shared.ask(Kind::Unwatch, &payload, None) {
            let _ended = queue.send(outgoing);
        }
    }

    /// Why the connection has ended; to be asked only when it has.
    pub(crate) fn ended(&self) -> XenstoreError {
        self.0.shared.ending().into()
    }

    /// Asks and waits: `texts`, the first of which is a path, and what follows them.
    pub(crate) async fn request(
        &self,
        kind: Kind,
        texts: &[&str],
        value: &[u8],
    ) -> Result<Vec<u8>, XenstoreError> {
        check(texts.first().copied().unwrap_or_default())?;
        let room = self.room().await;
        self.request_in(room, kind, texts, value).await
    }

    /// Waits until one more request may be on its way.
    async fn room(&self) -> OwnedSemaphorePermit {
        let room = Arc::clone(&self.0.room).acquire_owned().await;
        room.expect("it is never closed")
    }

    async fn request_in(
        &self,
        room: OwnedSemaphorePermit,
        kind: Kind,
        texts: &[&str],
        value: &[u8],
    ) -> Result<Vec<u8>, XenstoreError> {
        let payload = [&terminated(texts.iter().copied()), value].concat();
        let Handle { shared, queue, .. } = &*self.0;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            answer,
            _room: room,
        };
        let outgoing = shared.ask(kind, &payload, Some(waiting))?;
        let outgoing = outgoing.ok_or(XenstoreError::Unaskable("more than 4096 bytes"))?;
        // When the task has ended, there is no answer either.
        let _ended = queue.send(outgoing);
        match answered.await {
            Ok(answer) => answer.map_err(XenstoreError::Refused),
            Err(_) => Err(self.ended()),
        }
    }
}

/// Nothing to show of the content: what is asked is others' business.
impl fmt::Debug for Xenstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Xenstore").finish_non_exhaustive()
    }
}

/// Whether a message can carry it; whether it is a path is for xenstored to say.
fn check(path: &str) -> Result<(), XenstoreError> {
    match path {
        "" => Err(XenstoreError::Unaskable("an empty path")),
        _ if path.len() > MAX_PATH => Err(XenstoreError::Unaskable("a path too long")),
        _ if path.contains('\0') => Err(XenstoreError::Unaskable("a path with a zero byte")),
        _ => Ok(()),
    }
}

/// That there is no such node is an answer.
pub(crate) fn present<T>(asked: Result<T, XenstoreError>) -> Result<Option<T>, XenstoreError> {
    match asked {
        Err(error) if error.is_absent() => Ok(None),
        asked => asked.map(Some),
    }
}

pub(crate) fn texts(payload: &[u8]) -> Result<Vec<String>, XenstoreError> {
    names(payload).ok_or(XenstoreError::Malformed("a name that is no text"))
}

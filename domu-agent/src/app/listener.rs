//! The socket for applications.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use nix::sys::stat::{Mode, fchmod};
use proto::repeated::Repeated;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tracing::{debug, error, info};

use super::connection;
use super::state::AppState;

/// Owner and group may use the socket.
const SOCKET_MODE: u32 = 0o660;
/// The owner may.
const PRIVATE_MODE: u32 = 0o600;
/// Pause after a failed accept: out of descriptors, most likely, so let others end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The socket, bound and listening. The file goes when this is dropped.
pub(crate) struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Something answers there already.
    #[error("{}: another agent is running", .0.display())]
    InUse(PathBuf),
    /// The system does not let us.
    #[error("{}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Listener {
    /// Binds `path`, for owner and group. A socket that nobody listens on any more is replaced.
    pub(crate) fn bind(path: &Path) -> Result<Self, ListenError> {
        Self::bind_with(path, SOCKET_MODE)
    }

    /// The same for the owner alone.
    pub(crate) fn bind_private(path: &Path) -> Result<Self, ListenError> {
        Self::bind_with(path, PRIVATE_MODE)
    }

    /// The next who comes.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn bind_with(path: &Path, mode: u32) -> Result<Self, ListenError> {
        remove_stale(path)?;
        let listener = bind_with_mode(path, mode).map_err(|source| ListenError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Serves applications, at most `max_connections` at a time, for ever.
    pub(crate) async fn serve(&self, state: Arc<AppState>, max_connections: usize) {
        let places = Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)));
        let mut failing = Repeated::default();
        loop {
            let place = places.clone().acquire_owned().await;
            let place = place.expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Some(left_out) = failing.worked() {
                        info!(left_out, "applications are accepted again");
                    }
                    let state = state.clone();
                    tokio::spawn(async move {
                        connection::serve(stream, &state).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    if let Some(left_out) = failing.failed(Instant::now()) {
                        error!(
                            %error, left_out,
                            "cannot accept an application; it is tried again all the time"
                        );
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            debug!(%error, path = %self.path.display(), "remove");
        }
    }
}

fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let is_socket = path
        .symlink_metadata()
        .is_ok_and(|meta| meta.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match StdUnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse(path.to_owned())),
        Err(_) => std::fs::remove_file(path).map_err(|source| ListenError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The mode is set on the socket before it has a name, so that at no moment it is wider than
/// meant; the file gets it less the umask, which is then put right.
fn bind_with_mode(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    fchmod(&socket, Mode::from_bits_truncate(mode))?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    listen(&socket, Backlog::MAXCONN)?;
    UnixListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("exists").permissions().mode() & 0o7777
    }

    #[tokio::test]
    async fn owner_and_group_may_use_the_socket_and_it_goes_in_the_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("agent.sock");
        let listener = Listener::bind(&path).expect("free");
        assert_eq!(mode(&path), 0o660);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("agent.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("free"));
        let listener = Listener::bind(&path).expect("only stale");
        let second = Listener::bind(&path);
        assert!(matches!(second, Err(ListenError::InUse(_))));
        drop(listener);
    }

    #[tokio::test]
    async fn another_kind_of_file_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("agent.sock");
        std::fs::write(&path, "precious").expect("writable");
        let refused = Listener::bind(&path);
        assert!(matches!(refused, Err(ListenError::Io { .. })));
        assert_eq!(
            std::fs::read_to_string(&path).expect("still there"),
            "precious"
        );
    }
}

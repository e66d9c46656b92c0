//! Unix sockets that only their owner may open.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind as bind_address, listen, socket,
};
use thiserror::Error;

/// Connections that may wait to be accepted.
const BACKLOG: u8 = 16;

/// Listens at `path`, without blocking, mode 0600 before anyone can connect. A socket left behind
/// by an earlier run is replaced.
///
/// # Errors
/// [`SocketError`] when something else is at `path`, someone listens there, or it cannot be
/// created.
pub fn bind(path: &Path) -> Result<(UnixListener, SocketFile), SocketError> {
    make_way(path)?;
    listen_at(path).map_err(|source| SocketError::Io {
        path: path.to_owned(),
        source,
    })
}

fn listen_at(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    bind_address(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    let file = SocketFile::at(path)?;
    // Nobody can connect before `listen`, so the mode is right from the first moment on.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listen(&fd, Backlog::new(BACKLOG)?)?;
    Ok((UnixListener::from(fd), file))
}

/// Removes a socket nobody listens on any more; leaves everything else alone.
fn make_way(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::Occupied(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Ok(_) => Err(SocketError::Occupied(path.to_owned())),
        Err(error) => Err(failed(error)),
    }
}

/// The file of a bound socket, removed with it unless another took its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Ok(metadata) = fs::symlink_metadata(&self.path)
            && (metadata.dev(), metadata.ino()) == (self.device, self.inode)
        {
            // Nothing depends on it: the next start makes way for itself.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Why a path cannot be listened on.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Another file, or a socket someone listens on.
    #[error("{path} is in use: stop what listens there, or name another path", path = .0.display())]
    Occupied(PathBuf),
    /// The operating system said no.
    #[error("cannot listen on {path}", path = path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_connect_and_the_file_goes_in_the_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.sock");
        let (listener, file) = bind(&path).expect("free");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        drop((listener, file));
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_a_live_one_and_a_file_are_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.sock");
        drop(UnixListener::bind(&path).expect("free"));
        let (listener, _file) = bind(&path).expect("only stale");
        assert!(matches!(bind(&path), Err(SocketError::Occupied(_))));
        drop(listener);
        let path = dir.path().join("notes");
        fs::write(&path, "precious").expect("writable");
        assert!(matches!(bind(&path), Err(SocketError::Occupied(_))));
        assert_eq!(fs::read_to_string(&path).expect("there"), "precious");
    }

    #[test]
    fn a_socket_that_took_the_place_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.sock");
        let (listener, file) = bind(&path).expect("free");
        fs::remove_file(&path).expect("there");
        let successor = UnixListener::bind(&path).expect("free again");
        drop((listener, file));
        assert!(path.exists());
        drop(successor);
    }
}

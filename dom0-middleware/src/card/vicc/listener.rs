//! Where virtual cards connect: a Unix socket only its owner may open, or a loopback port.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use std::os::fd::AsRawFd;
use thiserror::Error;

use super::stream::Stream;
use super::transport::ViccTransport;
use crate::card::transport::{CardSource, CardTransport, TransportError};

/// Connections that may wait, and that are refused in one go.
const BACKLOG: u8 = 16;

/// Listens for the virtual card of one SEID.
#[derive(Debug)]
pub struct ViccListener {
    listener: Listener,
    /// Removes the socket when the listener is dropped.
    _file: Option<SocketFile>,
}

#[derive(Debug)]
enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl ViccListener {
    /// Listens on a Unix socket at `path`, mode 0600 before anyone can connect. A socket left
    /// behind by an earlier run is replaced; the file is removed when the listener is dropped.
    ///
    /// # Errors
    /// [`ListenError`] when something else is at `path`, someone listens there, or it cannot be
    /// created.
    pub fn bind_unix(path: &Path) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Io {
            at: path.display().to_string(),
            source,
        };
        make_way(path)?;
        let fd = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )
        .map_err(|errno| failed(errno.into()))?;
        let address = UnixAddr::new(path).map_err(|errno| failed(errno.into()))?;
        bind(fd.as_raw_fd(), &address).map_err(|errno| failed(errno.into()))?;
        let file = SocketFile::at(path).map_err(failed)?;
        // Nobody can connect before `listen`, so the mode is right from the first moment on.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let backlog = Backlog::new(BACKLOG).map_err(|errno| failed(errno.into()))?;
        listen(&fd, backlog).map_err(|errno| failed(errno.into()))?;
        Ok(Self {
            listener: Listener::Unix(UnixListener::from(fd)),
            _file: Some(file),
        })
    }

    /// Listens on a TCP port of the loopback interface: for development only, since every user of
    /// this machine can connect.
    ///
    /// # Errors
    /// [`ListenError`] when `address` is not loopback or cannot be bound.
    pub fn bind_loopback(address: SocketAddr) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback(address));
        }
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        match bound {
            Ok(listener) => Ok(Self {
                listener: Listener::Tcp(listener),
                _file: None,
            }),
            Err(source) => Err(ListenError::Io {
                at: address.to_string(),
                source,
            }),
        }
    }

    /// The TCP address listened on; `None` for a Unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Unix(_) => None,
            Listener::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    fn accept(&self) -> io::Result<Option<Stream>> {
        let accepted = match &self.listener {
            Listener::Unix(listener) => listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(false)?;
                Ok(Stream::Unix(stream))
            }),
            Listener::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }),
        };
        match accepted {
            Ok(stream) => Ok(Some(stream)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::Interrupted
                        | io::ErrorKind::ConnectionAborted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl CardSource for ViccListener {
    fn poll(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Box<dyn CardTransport>>, TransportError> {
        let Some(stream) = self.accept()? else {
            return Ok(None);
        };
        let transport = ViccTransport::power_up(stream, deadline)?;
        Ok(Some(Box::new(transport)))
    }

    fn refuse_surplus(&mut self) -> usize {
        let mut refused = 0;
        while refused < usize::from(BACKLOG) && matches!(self.accept(), Ok(Some(_))) {
            refused += 1;
        }
        refused
    }
}

/// Removes a socket nobody listens on any more; leaves everything else alone.
fn make_way(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Io {
        at: path.display().to_string(),
        source,
    };
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    };
    if !metadata.file_type().is_socket() {
        return Err(ListenError::Occupied(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Ok(_) => Err(ListenError::Occupied(path.to_owned())),
        Err(error) => Err(failed(error)),
    }
}

/// The file of a bound socket, removed with it unless another took its place.
#[derive(Debug)]
struct SocketFile {
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

/// Why nothing can be listened on.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another file, or a socket someone listens on.
    #[error("{path} is in use", path = .0.display())]
    Occupied(PathBuf),
    /// A virtual card gets PINs and gives keys: never over a network.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The operating system said no.
    #[error("cannot listen on {at}: {source}")]
    Io {
        /// Path or address.
        at: String,
        /// Its reason.
        source: io::Error,
    },
}

//! Where virtual cards connect: a Unix socket only its owner may open, or a loopback port.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Instant;

use thiserror::Error;

use super::stream::Stream;
use super::transport::ViccTransport;
use crate::card::transport::{CardSource, CardTransport, TransportError};
use crate::socket::{self, SocketError, SocketFile};

/// Connections that are refused in one go.
const MAX_REFUSED: usize = 16;

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
        let (listener, file) = socket::bind(path)?;
        Ok(Self {
            listener: Listener::Unix(listener),
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
                at: address,
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
                Ok(stream.into())
            }),
            Listener::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                Ok(stream.into())
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
        while refused < MAX_REFUSED && matches!(self.accept(), Ok(Some(_))) {
            refused += 1;
        }
        refused
    }
}

/// Why nothing can be listened on.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The path cannot be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A virtual card gets PINs and gives keys: never over a network.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The operating system said no.
    #[error("cannot listen on {at}")]
    Io {
        /// The address.
        at: SocketAddr,
        /// Its reason.
        source: io::Error,
    },
}

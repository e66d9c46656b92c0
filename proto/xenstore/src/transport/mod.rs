//! How xenstored is reached: its Unix socket, or the device of a guest.

mod device;

use std::env;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

pub(crate) use self::device::Device;
use self::device::{DeviceReader, DeviceWriter};
use crate::error::{Ending, XenstoreError};
use crate::wire::ErrorName;

/// Where xenstored listens unless `XENSTORED_PATH` in the environment says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/xenstored/socket";

/// What leads to xenstored where it does not listen: in a guest, and in dom0 where a domain of its
/// own keeps xenstore.
pub const DEVICE: &str = "/dev/xen/xenbus";

/// The socket of xenstored: `XENSTORED_PATH` in the environment, else [`DEFAULT_SOCKET`].
#[must_use]
pub fn socket_path() -> PathBuf {
    env::var_os("XENSTORED_PATH").map_or_else(|| DEFAULT_SOCKET.into(), PathBuf::from)
}

/// An open way to xenstored.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Its socket.
    Socket(UnixStream),
    /// The device.
    Device(Device),
}

impl Transport {
    /// The socket; where there is none and the environment names none, the device.
    ///
    /// # Errors
    /// [`XenstoreError::Connect`]. Without socket and device it is the socket that is missing.
    pub(crate) async fn open() -> Result<Self, XenstoreError> {
        let socket = socket_path();
        let may_be_guest = env::var_os("XENSTORED_PATH").is_none();
        match Self::open_at(&socket).await {
            Err(error) if may_be_guest && is_missing(&error) => {
                match Self::open_at(Path::new(DEVICE)).await {
                    Err(of_device) if is_missing(&of_device) => Err(error),
                    opened => opened,
                }
            }
            opened => opened,
        }
    }

    /// What is at `path`: a socket, or a device.
    ///
    /// # Errors
    /// [`XenstoreError::Connect`].
    pub(crate) async fn open_at(path: &Path) -> Result<Self, XenstoreError> {
        let opened = async {
            match std::fs::metadata(path)?.file_type().is_socket() {
                true => UnixStream::connect(path).await.map(Self::Socket),
                false => Device::open(path).map(Self::Device),
            }
        };
        opened.await.map_err(|source| XenstoreError::Connect {
            path: path.to_owned(),
            source,
        })
    }

    /// How many requests may be sent without their answers.
    pub(crate) const fn window(&self) -> usize {
        match self {
            Self::Socket(_) => crate::client::MAX_WAITING,
            Self::Device(_) => Device::WINDOW,
        }
    }

    /// Both directions.
    ///
    /// # Errors
    /// When the system lacks what it takes.
    pub(crate) fn split(self) -> io::Result<(Source, Sink)> {
        Ok(match self {
            Self::Socket(stream) => {
                let (read, write) = stream.into_split();
                (Source::Socket(read), Sink::Socket(write))
            }
            Self::Device(device) => {
                let (read, write) = device.split()?;
                (Source::Device(read), Sink::Device(write))
            }
        })
    }
}

fn is_missing(error: &XenstoreError) -> bool {
    matches!(error, XenstoreError::Connect { source, .. } if source.kind() == ErrorKind::NotFound)
}

/// Where answers and events come from.
#[derive(Debug)]
pub(crate) enum Source {
    Socket(OwnedReadHalf),
    Device(DeviceReader),
}

impl Source {
    /// Reads some bytes; 0 at the end. Nothing is lost when it is dropped.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.read(buffer).await,
            Self::Device(device) => device.read(buffer).await,
        }
    }
}

/// Where requests go.
#[derive(Debug)]
pub(crate) enum Sink {
    Socket(OwnedWriteHalf),
    Device(DeviceWriter),
}

/// Why a request was not sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// It alone: this is its answer.
    Refused(ErrorName),
    /// It and all that would follow.
    Broken(Ending),
}

impl Sink {
    /// Sends one message.
    pub(crate) async fn send(&mut self, message: Vec<u8>) -> Result<(), Unsent> {
        match self {
            Self::Socket(stream) => {
                let sent = stream.write_all(&message).await;
                sent.map_err(|error| Unsent::Broken(error.into()))
            }
            Self::Device(device) => device.send(message).await,
        }
    }
}

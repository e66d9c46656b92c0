//! The bytes of a channel, whatever its kind.

use std::io;

use xen_channel::SocketStream;

use super::vchan::DomainVchan;

/// An open channel.
#[derive(Debug)]
pub(super) enum Pipe {
    /// A Unix socket.
    Unix(SocketStream),
    /// A vchan.
    Vchan(Box<DomainVchan>),
}

impl Pipe {
    /// Waits until [`Self::try_read`], or with `to_write` also [`Self::try_write`], can do
    /// something.
    pub(super) async fn ready(&mut self, to_write: bool) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.ready(to_write).await,
            Self::Vchan(stream) => stream.ready(to_write).await,
        }
    }

    /// Waits until [`Self::try_write`] can do something.
    pub(super) async fn writable(&mut self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.writable().await,
            Self::Vchan(stream) => stream.writable().await,
        }
    }

    /// Reads what is there; 0 bytes at the end.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.try_read(buffer),
            Self::Vchan(stream) => stream.try_read(buffer),
        }
    }

    /// Writes what there is room for.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Vchan(stream) => stream.try_write(bytes),
        }
    }
}

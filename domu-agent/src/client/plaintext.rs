//! A socket that carries plaintext, whoever seals and opens its records.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;

use super::{Client, ClientError};
use crate::app::{EndedAnswer, Ending, EstablishedAnswer};

/// Most records that are no data in a row.
const MAX_IDLE_RECORDS: usize = 16;

/// What [`Client::connect_plaintext`] gives. The connection ends when this is dropped, with a
/// close_notify as far as the server reads.
#[derive(Debug)]
pub struct PlaintextSocket {
    /// What is answered in every mode; `via` says who seals and opens the records.
    pub established: EstablishedAnswer,
    carrier: Carrier,
    client: Client,
}

#[derive(Debug)]
enum Carrier {
    /// The agent is at the other end.
    Relay(UnixStream),
    /// The TCP connection, whose records are the kernel's. The agent gives it up, with a
    /// close_notify, when the socket of the request ends.
    Kernel { tcp: TcpStream, request: UnixStream },
}

impl PlaintextSocket {
    pub(super) fn new(
        client: Client,
        established: EstablishedAnswer,
        fd: OwnedFd,
        request: UnixStream,
    ) -> Self {
        let carrier = match established.via.as_deref() {
            Some("ktls") => Carrier::Kernel {
                tcp: fd.into(),
                request,
            },
            _ => Carrier::Relay(fd.into()),
        };
        Self {
            established,
            carrier,
            client,
        }
    }

    /// Whether the kernel seals and opens the records: then `sendfile` to [`AsFd::as_fd`] is the
    /// fastest way to send a file, and the descriptor shows control records as `EIO`.
    #[must_use]
    pub const fn is_kernel_tls(&self) -> bool {
        matches!(self.carrier, Carrier::Kernel { .. })
    }

    /// Sends a close_notify behind what was written; the server's data still arrives.
    ///
    /// # Errors
    /// If the connection has ended already.
    pub fn finish(&self) -> io::Result<()> {
        match &self.carrier {
            Carrier::Relay(socket) => socket.shutdown(Shutdown::Write),
            // The agent sends it: the kernel has no call that does.
            Carrier::Kernel { request, .. } => request.shutdown(Shutdown::Write),
        }
    }

    /// How the connection ended, or that it stands.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ended(&self) -> Result<EndedAnswer, ClientError> {
        self.client.ended(self.established.session)
    }

    /// What an end of data means: the agent's word, if it is not that data is missing.
    fn end(&self) -> io::Result<Ending> {
        let ended = self.ended().map_err(io::Error::other)?;
        match ended.how {
            // At the end of a relay: the server has closed its direction, and takes data still.
            Ending::Open | Ending::Closed => Ok(ended.how),
            _ => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                ended.message,
            )),
        }
    }

    fn read_carrier(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.carrier {
            Carrier::Relay(socket) => socket.read(buffer),
            Carrier::Kernel { tcp, .. } => tcp.read(buffer),
        }
    }
}

/// The end of the data is the server's close_notify. A connection that was cut short, and one that
/// ended with an alert, is an error (`ConnectionAborted`) behind the data that came before.
impl Read for PlaintextSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for _ in 0..MAX_IDLE_RECORDS {
            match self.read_carrier(buffer) {
                Ok(0) if !buffer.is_empty() => return self.end().map(|_| 0),
                // The kernel's way to say that a record is no data.
                Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => {}
                read => return read,
            }
            if self.end()? == Ending::Closed {
                return Ok(0);
            }
        }
        let text = "records that are no data, over and over";
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, text))
    }
}

impl Write for PlaintextSocket {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.carrier {
            Carrier::Relay(socket) => socket.write(data),
            Carrier::Kernel { tcp, .. } => tcp.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for PlaintextSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.carrier {
            Carrier::Relay(socket) => socket.as_fd(),
            Carrier::Kernel { tcp, .. } => tcp.as_fd(),
        }
    }
}

//! The two kinds of socket a virtual card may come through, as one.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

/// A connected stream whose reads and writes end by a deadline.
#[derive(Debug)]
pub(super) struct Stream {
    socket: Socket,
    /// How long the kernel waits before a read gives up, and a write.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Socket::Unix(stream).into()
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Socket::Tcp(stream).into()
    }
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        Self {
            socket,
            read_timeout: None,
            write_timeout: None,
        }
    }
}

impl Stream {
    /// Reads once; `TimedOut` when nothing came by `deadline`.
    pub(super) fn read_by(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            if let Some(timeout) = needed(self.read_timeout, time_left(deadline)?) {
                match &self.socket {
                    Socket::Unix(stream) => stream.set_read_timeout(Some(timeout))?,
                    Socket::Tcp(stream) => stream.set_read_timeout(Some(timeout))?,
                }
                self.read_timeout = Some(timeout);
            }
            let read = match &mut self.socket {
                Socket::Unix(stream) => stream.read(buffer),
                Socket::Tcp(stream) => stream.read(buffer),
            };
            if let Some(read) = unless_to_be_tried_again(read)? {
                return Ok(read);
            }
        }
    }

    /// Writes all of `bytes`; `TimedOut` when they did not go out by `deadline`.
    pub(super) fn write_by(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            if let Some(timeout) = needed(self.write_timeout, time_left(deadline)?) {
                match &self.socket {
                    Socket::Unix(stream) => stream.set_write_timeout(Some(timeout))?,
                    Socket::Tcp(stream) => stream.set_write_timeout(Some(timeout))?,
                }
                self.write_timeout = Some(timeout);
            }
            let written = match &mut self.socket {
                Socket::Unix(stream) => stream.write(bytes),
                Socket::Tcp(stream) => stream.write(bytes),
            };
            let Some(written) = unless_to_be_tried_again(written)? else {
                continue;
            };
            if written == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Whether the other end has closed, as far as can be seen without waiting.
    pub(super) fn is_closed(&self) -> bool {
        let fd = match &self.socket {
            Socket::Unix(stream) => stream.as_raw_fd(),
            Socket::Tcp(stream) => stream.as_raw_fd(),
        };
        let mut byte = [0];
        match recv(fd, &mut byte, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
            Ok(0) => true,
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => false,
            Err(_) => true,
        }
    }
}

fn time_left(deadline: Instant) -> io::Result<Duration> {
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if left >= SHORTEST => Ok(left),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// The timeout to set, if the one that is set would outlast the time left. A shorter one ends a wait
/// early, which is then begun again: not too often, while it is at least half of the time left.
fn needed(set: Option<Duration>, left: Duration) -> Option<Duration> {
    match set {
        Some(set) if set <= left && set >= left / 2 => None,
        // Most deadlines are as long as the last one; this one serves them all.
        _ => Some((left / 4 * 3).max(SHORTEST)),
    }
}

/// What the call came to; `None` when it was interrupted, or gave up before the deadline.
fn unless_to_be_tried_again(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) => match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Ok(None),
            _ => Err(error),
        },
    }
}

/// The kernel counts in microseconds and takes zero for "for ever".
const SHORTEST: Duration = Duration::from_micros(1);

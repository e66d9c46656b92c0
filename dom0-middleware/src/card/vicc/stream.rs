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
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    /// Reads once; `TimedOut` when nothing came by `deadline`.
    pub(super) fn read_by(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        let left = time_left(deadline)?;
        match self {
            Self::Unix(stream) => stream.set_read_timeout(Some(left))?,
            Self::Tcp(stream) => stream.set_read_timeout(Some(left))?,
        }
        retry_interrupted(|| match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        })
    }

    /// Writes all of `bytes`; `TimedOut` when they did not go out by `deadline`.
    pub(super) fn write_by(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let left = time_left(deadline)?;
            match self {
                Self::Unix(stream) => stream.set_write_timeout(Some(left))?,
                Self::Tcp(stream) => stream.set_write_timeout(Some(left))?,
            }
            let written = retry_interrupted(|| match self {
                Self::Unix(stream) => stream.write(bytes),
                Self::Tcp(stream) => stream.write(bytes),
            })?;
            if written == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Whether the other end has closed, as far as can be seen without waiting.
    pub(super) fn is_closed(&self) -> bool {
        let fd = match self {
            Self::Unix(stream) => stream.as_raw_fd(),
            Self::Tcp(stream) => stream.as_raw_fd(),
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
        // The kernel counts in microseconds and takes zero for "for ever".
        Some(left) if left >= Duration::from_micros(1) => Ok(left),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn retry_interrupted(mut act: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

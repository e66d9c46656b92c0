//! TLS over a socket that may block for a while, never for ever.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::{ServerConfig, ServerConnection};
use thiserror::Error;

/// A connection of a peer whose certificate was good.
pub(super) struct Line {
    socket: TcpStream,
    tls: ServerConnection,
}

/// What reading brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for a tick, or nothing that is the peer's word.
    Nothing,
    /// The peer has ended the connection.
    End,
}

impl Line {
    /// Makes the handshake by `deadline`. From then on reading returns after `tick` at the latest.
    ///
    /// # Errors
    /// [`LineError`]; the peer was told by an alert.
    pub(super) fn accept(
        socket: TcpStream,
        config: &Arc<ServerConfig>,
        deadline: Instant,
        tick: Duration,
    ) -> Result<Self, LineError> {
        // An answer is one segment, and the next question waits for it.
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(WRITE_TICK))?;
        let mut tls = ServerConnection::new(Arc::clone(config))?;
        // A response goes out as a whole; how long it is is bounded elsewhere.
        tls.set_buffer_limit(None);
        let mut line = Self { socket, tls };
        let result = line.handshake(deadline);
        if result.is_err() {
            line.hang_up();
        }
        result?;
        line.socket.set_read_timeout(Some(tick))?;
        Ok(line)
    }

    /// The TLS connection, for what it knows of the peer.
    pub(super) fn tls(&self) -> &ServerConnection {
        &self.tls
    }

    fn handshake(&mut self, deadline: Instant) -> Result<(), LineError> {
        while self.tls.is_handshaking() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LineError::HandshakeTime);
            }
            self.socket.set_read_timeout(Some(left))?;
            if self.receive()? == Received::End {
                return Err(LineError::HandshakeEnd);
            }
            self.flush(deadline)?;
        }
        self.flush(deadline)
    }

    /// Reads what there is, and waits for a tick if there is nothing.
    ///
    /// # Errors
    /// [`LineError`] when the connection breaks.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<Came, LineError> {
        let came = self.plaintext(buffer)?;
        if came != Came::Nothing || self.receive()? == Received::Nothing {
            return Ok(came);
        }
        if self.tls.wants_write() {
            self.flush(Instant::now() + WRITE_TICK)?;
        }
        // Once only: a peer that sends a record byte by byte does not keep us here.
        self.plaintext(buffer)
    }

    fn plaintext(&mut self, buffer: &mut [u8]) -> Result<Came, LineError> {
        match self.tls.reader().read(buffer) {
            Ok(0) => Ok(Came::End),
            Ok(length) => Ok(Came::Bytes(length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Came::Nothing),
            // It has left without a word.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Came::End),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self) -> Result<Received, LineError> {
        let received = match self.tls.read_tls(&mut self.socket) {
            Ok(0) => Received::End,
            Ok(_) => Received::Something,
            Err(error) if is_pause(&error) => return Ok(Received::Nothing),
            Err(error) => return Err(error.into()),
        };
        if let Err(error) = self.tls.process_new_packets() {
            // The alert that says so.
            let _ = self.flush(Instant::now() + WRITE_TICK);
            return Err(error.into());
        }
        Ok(received)
    }

    /// Writes all of it, in one go: one TLS record if it is not longer than that.
    ///
    /// # Errors
    /// [`LineError`] when the peer does not read it by `deadline`.
    pub(super) fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LineError> {
        self.tls.writer().write_all(bytes)?;
        self.flush(deadline)
    }

    fn flush(&mut self, deadline: Instant) -> Result<(), LineError> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Ok(_) => {}
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error.into()),
            }
            if self.tls.wants_write() && Instant::now() >= deadline {
                return Err(LineError::SlowReader);
            }
        }
        Ok(())
    }

    /// Whether the peer has left, as far as that can be seen without reading. Never waits.
    pub(super) fn is_gone(&self) -> bool {
        let ended = PEER_CLOSED | PollFlags::POLLHUP | PollFlags::POLLERR;
        let mut sockets = [PollFd::new(self.socket.as_fd(), ended)];
        let polled = poll(&mut sockets, PollTimeout::ZERO);
        let [socket] = sockets;
        // What the library has no name for is what was asked for by number.
        let seen = socket.revents();
        matches!(polled, Ok(1..)) && seen.is_none_or(|seen| seen.intersects(ended))
    }

    /// Says goodbye. What the peer still sends is thrown away for a moment: closing on it would
    /// have the system throw away what the peer has not read yet.
    pub(super) fn hang_up(&mut self) {
        self.tls.send_close_notify();
        let deadline = Instant::now() + LINGER;
        let said = self.flush(deadline).is_ok() && self.socket.shutdown(Shutdown::Write).is_ok();
        if !said || self.socket.set_read_timeout(Some(LINGER)).is_err() {
            return;
        }
        let mut left = [0; 4_096];
        while Instant::now() < deadline {
            match self.socket.read(&mut left) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Received {
    Something,
    Nothing,
    End,
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Why a connection is over before its peer has ended it.
#[derive(Debug, Error)]
pub(super) enum LineError {
    /// Time was up.
    #[error("the TLS handshake took too long")]
    HandshakeTime,
    /// The peer has left.
    #[error("the peer left in the TLS handshake")]
    HandshakeEnd,
    /// The peer does not take what it is told.
    #[error("the peer does not read its response")]
    SlowReader,
    /// The peer does something that is not TLS as it must be here.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

/// How often it is looked whether the time for a response is over.
const WRITE_TICK: Duration = Duration::from_millis(500);
/// How long what a peer still sends is read once it was told goodbye.
const LINGER: Duration = Duration::from_millis(500);
/// The peer has sent all it will. The library has no name for it.
const PEER_CLOSED: PollFlags = PollFlags::from_bits_retain(nix::libc::POLLRDHUP);

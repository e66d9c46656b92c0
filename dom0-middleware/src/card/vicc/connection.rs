//! Messages over one connection: a 2-byte length and a body.

use std::time::Instant;

use proto::error::DecodeError;
use zeroize::{Zeroize, Zeroizing};

use super::stream::Stream;
use crate::card::transport::TransportError;

/// The longest body a card may send to a short command: 256 bytes and the status word.
pub(super) const SHORT_BODY: usize = 258;

/// The longest body that a length can say.
pub(super) const LONG_BODY: usize = 65_535;

/// Bytes read at once.
const CHUNK: usize = 1024;

/// A connection that keeps what it has read of a message when a deadline passes in its middle.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    received: Received,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            received: Received(Vec::with_capacity(CHUNK * 2)),
        }
    }

    /// Sends one message; `body` is at most 65,535 bytes, which any short APDU is.
    pub(super) fn send(&mut self, body: &[u8], deadline: Instant) -> Result<(), TransportError> {
        self.send_all(std::iter::once(body), deadline)
    }

    /// Sends several messages at once.
    pub(super) fn send_all<B: AsRef<[u8]>>(
        &mut self,
        bodies: impl Iterator<Item = B>,
        deadline: Instant,
    ) -> Result<(), TransportError> {
        let bodies: Vec<B> = bodies.collect();
        // Nothing is left behind in memory that grows.
        let length = bodies.iter().map(|body| 2 + body.as_ref().len()).sum();
        let mut messages = Zeroizing::new(Vec::with_capacity(length));
        for body in &bodies {
            let body = body.as_ref();
            let len = u16::try_from(body.len()).map_err(|_| DecodeError::TooLong {
                what: "command for a virtual card",
                max: usize::from(u16::MAX),
                got: body.len(),
            })?;
            messages.extend_from_slice(&len.to_be_bytes());
            messages.extend_from_slice(body);
        }
        Ok(self.stream.write_by(&messages, deadline)?)
    }

    /// Waits for one message and returns its body, of at most `max` bytes.
    pub(super) fn receive(
        &mut self,
        max: usize,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, TransportError> {
        loop {
            if let Some(body) = self.received.take_message(max)? {
                return Ok(body);
            }
            let mut chunk = Zeroizing::new([0; CHUNK]);
            let count = self.stream.read_by(&mut chunk[..], deadline)?;
            match chunk.get(..count) {
                Some(bytes) if count > 0 => self.received.0.extend_from_slice(bytes),
                _ => return Err(TransportError::Removed),
            }
        }
    }

    /// Whether the other end has closed, as far as can be seen without waiting.
    pub(super) fn is_closed(&self) -> bool {
        self.stream.is_closed()
    }
}

/// Bytes read and not yet taken: less than one message and one chunk.
struct Received(Vec<u8>);

impl Received {
    fn take_message(&mut self, max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, DecodeError> {
        let Some((length, rest)) = self.0.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length > max {
            return Err(DecodeError::TooLong {
                what: "message of a virtual card",
                max,
                got: length,
            });
        }
        let Some((body, rest)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        let body = Zeroizing::new(body.to_vec());
        let taken = self.0.len() - rest.len();
        let left = rest.len();
        self.0.copy_within(taken.., 0);
        if let Some(tail) = self.0.get_mut(left..) {
            tail.zeroize();
        }
        self.0.truncate(left);
        Ok(Some(body))
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

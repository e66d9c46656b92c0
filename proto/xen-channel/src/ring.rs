//! What is believed of the library's answers, and when a stream has ended.
//!
//! Behind every answer stands a page that the peer writes. So each number is compared with what was
//! asked for and with what a ring can hold; one that cannot be ends the stream with a fault. An
//! answer that can be and is a lie costs the liar its own stream: bytes that make no sense, or none.

use std::ffi::c_int;
use std::io;
use std::os::fd::RawFd;

/// The largest ring that the library makes, in bytes, and so the most that any answer can tell.
pub const MAX_RING: usize = 1 << 20;

/// The calls of libxenvchan on one open vchan, with its answers as they come.
///
/// # Safety
/// What [`Self::events`] gives is open, and the same, for as long as the ring is.
#[allow(unsafe_code)]
pub(crate) unsafe trait Ring: Send + Unpin + 'static {
    /// The descriptor that is readable when something has changed.
    fn events(&self) -> RawFd;
    /// Takes one sign that something has changed; `WouldBlock` when there is none.
    fn take_event(&mut self) -> io::Result<()>;
    /// 0 when the peer has gone, 2 when it has not come yet.
    fn is_open(&mut self) -> c_int;
    /// Bytes that can be read; asks the peer to give a sign when there are more.
    fn data_ready(&mut self) -> c_int;
    /// Bytes that can be written; asks the peer to give a sign when there are more.
    fn buffer_space(&mut self) -> c_int;
    /// Bytes read, -1 for a failure.
    fn read(&mut self, buffer: &mut [u8]) -> c_int;
    /// Bytes written, -1 for a failure.
    fn write(&mut self, bytes: &[u8]) -> c_int;
}

/// The peer has not come yet (`libxenvchan_is_open`).
const NOT_YET: c_int = 2;

/// A ring whose answers are believed only as far as they can be true.
#[derive(Debug)]
pub(crate) struct CheckedRing<R> {
    ring: R,
    /// Free bytes of the ring that is written when the peer has read everything.
    whole: usize,
    fault: Option<RingFault>,
}

/// How far one call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes were moved, at least one.
    Moved(usize),
    /// None now; the peer gives a sign when that changes.
    Blocked,
    /// The peer has gone, and there is nothing left to read.
    Ended,
}

/// The peer, or the library, does what it must not; the stream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RingFault {
    /// More bytes than a ring can hold, or fewer than none.
    #[error("the peer's ring tells of {0} bytes")]
    Impossible(c_int),
    /// More bytes moved than were asked for.
    #[error("{got} bytes moved where {asked} were asked for")]
    TooMany {
        /// What was asked for.
        asked: usize,
        /// What the library says.
        got: c_int,
    },
    /// A transfer failed that had what it needs.
    #[error("the vchan fails")]
    Failed,
}

impl<R: Ring> CheckedRing<R> {
    /// A ring that has `whole` free bytes when the peer has read everything.
    pub(crate) const fn new(ring: R, whole: usize) -> Self {
        Self {
            ring,
            whole,
            fault: None,
        }
    }

    /// A ring to which nothing was written yet: what is free now is all of it.
    pub(crate) fn unwritten(mut ring: R) -> Result<Self, RingFault> {
        let whole = length(ring.buffer_space())?;
        match whole {
            0 => Err(RingFault::Impossible(0)),
            whole => Ok(Self::new(ring, whole)),
        }
    }

    pub(crate) fn events(&self) -> RawFd {
        self.ring.events()
    }

    pub(crate) fn take_event(&mut self) -> io::Result<()> {
        self.ring.take_event()
    }

    /// Whether the peer has come, be it that it has gone again.
    pub(crate) fn has_come(&mut self) -> bool {
        self.ring.is_open() != NOT_YET
    }

    /// Reads what is there, as much as `buffer` holds.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Step, RingFault> {
        self.sound()?;
        let result = self.try_read(buffer);
        self.note(result)
    }

    /// Writes as much of `bytes` as there is room for.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<Step, RingFault> {
        self.sound()?;
        let result = self.try_write(bytes);
        self.note(result)
    }

    /// Whether there is something to read, be it the end.
    pub(crate) fn is_readable(&mut self) -> Result<bool, RingFault> {
        self.sound()?;
        let result = self.ready();
        let ready = self.note(result)?;
        Ok(ready > 0 || self.ring.is_open() == 0)
    }

    /// Whether something can be written, be it to be told of the end.
    pub(crate) fn is_writable(&mut self) -> Result<bool, RingFault> {
        self.sound()?;
        let result = self.space();
        let space = self.note(result)?;
        Ok(space > 0 || self.ring.is_open() == 0)
    }

    /// Whether the peer has read everything, or never will.
    pub(crate) fn is_drained(&mut self) -> Result<bool, RingFault> {
        self.sound()?;
        let result = self.space();
        let space = self.note(result)?;
        Ok(space >= self.whole || self.ring.is_open() == 0)
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> Result<Step, RingFault> {
        let mut ready = self.ready()?;
        if ready == 0 {
            if self.ring.is_open() != 0 {
                return Ok(Step::Blocked);
            }
            // It may have written, and then gone, between the two looks.
            ready = self.ready()?;
            if ready == 0 {
                return Ok(Step::Ended);
            }
        }
        let asked = ready.min(buffer.len());
        let buffer = buffer.get_mut(..asked).unwrap_or_default();
        moved(asked, self.ring.read(buffer))
    }

    fn try_write(&mut self, bytes: &[u8]) -> Result<Step, RingFault> {
        if self.ring.is_open() == 0 {
            return Ok(Step::Ended);
        }
        let asked = self.space()?.min(bytes.len());
        if asked == 0 {
            return Ok(Step::Blocked);
        }
        let got = self.ring.write(bytes.get(..asked).unwrap_or_default());
        // Between the two looks it may have gone.
        if got < 0 && self.ring.is_open() == 0 {
            return Ok(Step::Ended);
        }
        moved(asked, got)
    }

    fn ready(&mut self) -> Result<usize, RingFault> {
        length(self.ring.data_ready())
    }

    fn space(&mut self) -> Result<usize, RingFault> {
        length(self.ring.buffer_space())
    }

    /// Once there was a fault nothing is touched any more.
    fn sound(&self) -> Result<(), RingFault> {
        self.fault.map_or(Ok(()), Err)
    }

    fn note<T>(&mut self, result: Result<T, RingFault>) -> Result<T, RingFault> {
        if let Err(fault) = &result {
            self.fault = Some(*fault);
        }
        result
    }
}

fn length(told: c_int) -> Result<usize, RingFault> {
    match usize::try_from(told) {
        Ok(length) if length <= MAX_RING => Ok(length),
        _ => Err(RingFault::Impossible(told)),
    }
}

fn moved(asked: usize, got: c_int) -> Result<Step, RingFault> {
    match usize::try_from(got) {
        // The peer took back what it had told of.
        Ok(0) => Ok(Step::Blocked),
        Ok(moved) if moved <= asked => Ok(Step::Moved(moved)),
        Ok(_) => Err(RingFault::TooMany { asked, got }),
        Err(_) => Err(RingFault::Failed),
    }
}

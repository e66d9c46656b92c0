//! A peer that does as a test says, in place of libxenvchan and another domain.

use std::collections::VecDeque;
use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::closing::Closing;
use crate::ring::{CheckedRing, Ring};
use crate::stream::Stream;

/// Bytes of each ring.
pub(crate) const RING: usize = 16;

/// One end's ring as libxenvchan would show it.
pub(crate) struct FakeRing {
    signs: UnixStream,
    shared: Arc<Mutex<Shared>>,
}

/// The other domain.
pub(crate) struct FakePeer {
    signs: UnixStream,
    shared: Arc<Mutex<Shared>>,
}

/// What both see.
#[derive(Default)]
pub(crate) struct Shared {
    /// On their way to us, and from us.
    to_us: VecDeque<u8>,
    from_us: VecDeque<u8>,
    /// As `libxenvchan_is_open` says it.
    pub(crate) open: c_int,
    /// Answers that are given before true ones.
    pub(crate) lies: VecDeque<c_int>,
    pub(crate) is_closed: bool,
}

impl Shared {
    fn answer(&mut self, truth: usize) -> c_int {
        let truth = c_int::try_from(truth).expect("small");
        self.lies.pop_front().unwrap_or(truth)
    }
}

/// A stream and who is at its other end.
pub(crate) fn connected() -> (Stream<FakeRing>, FakePeer) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    for end in [&ours, &theirs] {
        end.set_nonblocking(true).expect("a socket");
    }
    let shared = Arc::new(Mutex::new(Shared {
        open: 1,
        ..Shared::default()
    }));
    let ring = FakeRing {
        signs: ours,
        shared: Arc::clone(&shared),
    };
    let ring = Closing::new(CheckedRing::new(ring, RING), Box::new(()));
    let stream = Stream::new(ring).expect("in a runtime");
    let peer = FakePeer {
        signs: theirs,
        shared,
    };
    (stream, peer)
}

impl FakePeer {
    pub(crate) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no test has failed")
    }

    /// Says that something has changed.
    pub(crate) fn sign(&self) {
        // One that waits already is as good; and we may have gone.
        let _ = (&self.signs).write(&[1]);
    }

    /// Writes what there is room for.
    pub(crate) fn write(&self, bytes: &[u8]) -> usize {
        let mut shared = self.shared();
        let room = RING - shared.to_us.len();
        let bytes = &bytes[..room.min(bytes.len())];
        shared.to_us.extend(bytes);
        drop(shared);
        self.sign();
        bytes.len()
    }

    /// Reads at most `max` bytes.
    pub(crate) fn read(&self, max: usize) -> Vec<u8> {
        let mut shared = self.shared();
        let read = max.min(shared.from_us.len());
        let bytes = shared.from_us.drain(..read).collect();
        drop(shared);
        self.sign();
        bytes
    }

    pub(crate) fn close(&self) {
        self.shared().open = 0;
        self.sign();
    }
}

impl FakeRing {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no test has failed")
    }
}

// SAFETY: the socket is the ring's own.
#[allow(unsafe_code)]
unsafe impl Ring for FakeRing {
    fn events(&self) -> RawFd {
        self.signs.as_raw_fd()
    }

    fn take_event(&mut self) -> io::Result<()> {
        match self.signs.read(&mut [0])? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }

    fn is_open(&mut self) -> c_int {
        self.shared().open
    }

    fn data_ready(&mut self) -> c_int {
        let mut shared = self.shared();
        let ready = shared.to_us.len();
        shared.answer(ready)
    }

    fn buffer_space(&mut self) -> c_int {
        let mut shared = self.shared();
        let room = RING - shared.from_us.len();
        shared.answer(room)
    }

    fn read(&mut self, buffer: &mut [u8]) -> c_int {
        let mut shared = self.shared();
        let read = buffer.len().min(shared.to_us.len());
        for (place, byte) in buffer.iter_mut().zip(shared.to_us.drain(..read)) {
            *place = byte;
        }
        shared.answer(read)
    }

    fn write(&mut self, bytes: &[u8]) -> c_int {
        let mut shared = self.shared();
        let written = bytes.len().min(RING - shared.from_us.len());
        shared.from_us.extend(&bytes[..written]);
        shared.answer(written)
    }
}

impl Drop for FakeRing {
    fn drop(&mut self) {
        self.shared().is_closed = true;
    }
}

//! Reading, writing and waiting on tokio.
//!
//! A sign on the event channel means that something has changed, not what. So each attempt goes in
//! one order: take the sign, or arrange to be woken by the next one; then look at the ring; then
//! wait. A change after the look brings another sign, so none is slept through.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use crate::closing::Closing;
use crate::forsaken;
use crate::handle::Handle;
use crate::ring::{CheckedRing, Ring, RingFault, Step};
use crate::wakers::{Side, Wakers};

/// Signs that are taken at one go. A peer can give more than that; it must not keep a thread for
/// itself.
const SIGNS_AT_A_TIME: usize = 16;

/// One connected vchan: a stream of bytes each way.
///
/// There is no closing of one direction. Dropping it closes both, and what the peer has not read by
/// then may be lost; [`poll_shutdown`](AsyncWrite::poll_shutdown) waits until it has, so put a
/// deadline on it.
#[derive(Debug)]
pub struct VchanStream(pub(crate) Stream<Handle>);

/// The same over any ring.
#[derive(Debug)]
pub(crate) struct Stream<R: Ring> {
    // Before the ring: it uses a descriptor that the ring closes.
    events: AsyncFd<Events>,
    ring: Closing<CheckedRing<R>>,
    wakers: Arc<Wakers>,
    /// Wakes both.
    waker: Waker,
}

/// The event channel's descriptor, which is the ring's.
#[derive(Debug)]
struct Events(RawFd);

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl<R: Ring> Stream<R> {
    /// # Errors
    /// When the runtime cannot wait for the descriptor.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn new(ring: Closing<CheckedRing<R>>) -> io::Result<Self> {
        // SAFETY: a ring's descriptor is open for as long as the ring is and never another one
        // (`Ring`), and `events` is dropped before `ring`: fields are, in their order.
        #[allow(unsafe_code)]
        let events =
            unsafe { AsyncFd::register_with_interest(Events(ring.events()), Interest::READABLE) }?;
        let wakers = Arc::new(Wakers::default());
        let waker = Waker::from(Arc::clone(&wakers));
        Ok(Self {
            events,
            ring,
            wakers,
            waker,
        })
    }

    /// Waits for the peer to come.
    pub(crate) fn poll_come(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.attempt(context, Side::Reading, |ring| {
            Ok(ring.has_come().then_some(()))
        })
    }

    /// Waits until reading, or with `to_write` also writing, can do something.
    pub(crate) fn poll_ready(
        &mut self,
        context: &mut Context<'_>,
        to_write: bool,
    ) -> Poll<io::Result<()>> {
        self.attempt(context, Side::Reading, |ring| {
            let is_ready = ring.is_readable()? || (to_write && ring.is_writable()?);
            Ok(is_ready.then_some(()))
        })
    }

    /// Waits until writing can do something.
    pub(crate) fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.attempt(context, Side::Writing, |ring| {
            Ok(ring.is_writable()?.then_some(()))
        })
    }

    /// Reads what is there; 0 bytes at the end.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        read(&mut self.ring, buffer)
            .map_err(broken)?
            .ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// Writes what there is room for.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match self.ring.write(bytes).map_err(broken)? {
            Step::Moved(written) => Ok(written),
            Step::Blocked => Err(io::ErrorKind::WouldBlock.into()),
            Step::Ended => Err(gone()),
        }
    }

    /// Tries until `attempt` gives something.
    fn attempt<T>(
        &mut self,
        context: &mut Context<'_>,
        side: Side,
        mut attempt: impl FnMut(&mut CheckedRing<R>) -> Result<Option<T>, RingFault>,
    ) -> Poll<io::Result<T>> {
        self.wakers.set(side, context.waker());
        for _ in 0..SIGNS_AT_A_TIME {
            let sign = self.poll_sign()?;
            if sign.is_ready() {
                // It may be for the other side, which is not told again.
                self.wakers.wake(side.other());
            }
            if let Some(done) = attempt(&mut self.ring).map_err(broken)? {
                return Poll::Ready(Ok(done));
            }
            ready!(sign);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes one sign; `Pending` when there is none, and then the next one wakes both sides.
    fn poll_sign(&mut self) -> Poll<io::Result<()>> {
        let mut context = Context::from_waker(&self.waker);
        loop {
            let mut guard = ready!(self.events.poll_read_ready(&mut context))?;
            match self.ring.take_event() {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => guard.clear_ready(),
                    io::ErrorKind::Interrupted => {}
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
    }
}

/// Bytes read, 0 at the end; nothing when the peer must write first.
fn read<R: Ring>(ring: &mut CheckedRing<R>, buffer: &mut [u8]) -> Result<Option<usize>, RingFault> {
    Ok(match ring.read(buffer)? {
        Step::Moved(read) => Some(read),
        Step::Ended => Some(0),
        Step::Blocked => None,
    })
}

fn broken(fault: RingFault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the peer has closed the vchan")
}

impl<R: Ring> AsyncRead for Stream<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let free = buffer.initialize_unfilled();
        let taken = ready!(self.attempt(context, Side::Reading, |ring| read(ring, free)))?;
        buffer.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<R: Ring> AsyncWrite for Stream<R> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let written = ready!(self.attempt(context, Side::Writing, |ring| {
            Ok(match ring.write(bytes)? {
                Step::Moved(written) => Some(Some(written)),
                Step::Ended => Some(None),
                Step::Blocked => None,
            })
        }))?;
        Poll::Ready(written.ok_or_else(gone))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is in the ring is the peer's to read.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.attempt(context, Side::Writing, |ring| {
            Ok(ring.is_drained()?.then_some(()))
        })
    }
}

impl VchanStream {
    /// Waits until [`Self::try_read`], or with `to_write` also [`Self::try_write`], can do
    /// something.
    ///
    /// # Errors
    /// When the vchan has failed.
    pub async fn ready(&mut self, to_write: bool) -> io::Result<()> {
        poll_fn(|context| self.0.poll_ready(context, to_write)).await
    }

    /// Gives up a client's end whose domain was saved and restored, or has migrated: it can be neither
    /// used nor closed any more, see `forsaken`. What that leaves open stays so until the process ends.
    /// No other vchan may be open in this process as a client.
    pub fn forsake(self) {
        let Stream { events, ring, .. } = self.0;
        drop(events);
        forsaken::expect_nothing_of_the_kernel();
        ring.forsake();
    }

    /// Waits until [`Self::try_write`] can do something.
    ///
    /// # Errors
    /// When the vchan has failed.
    pub async fn writable(&mut self) -> io::Result<()> {
        poll_fn(|context| self.0.poll_writable(context)).await
    }

    /// Reads what is there; 0 bytes when the peer has gone and everything was read.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing now, `InvalidData` when the peer's ring makes no sense.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room now, `BrokenPipe` when the peer has gone, `InvalidData`
    /// when its ring makes no sense.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }
}

impl AsyncRead for VchanStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for VchanStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

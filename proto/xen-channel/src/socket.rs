//! A Unix socket in place of a vchan, where there is no Xen.
//!
//! The kernel says of a Unix socket that it can be written each time that the other side has read. Who
//! waits for both is woken by that for nothing, in the middle of a handshake. So it is asked for room
//! only after there was none.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::unix::net;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;

/// An open socket.
#[derive(Debug)]
pub struct SocketStream {
    /// Tells of what has come, and of nothing else.
    socket: AsyncFd<net::UnixStream>,
    /// Tells of room; there from when there was none until there is some.
    full: Option<AsyncFd<net::UnixStream>>,
}

impl SocketStream {
    /// Takes over a socket that is connected.
    ///
    /// # Errors
    /// An [`io::Error`] when the runtime does not take it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let socket = register(stream.into_std()?, Interest::READABLE)?;
        Ok(Self { socket, full: None })
    }

    /// Waits until [`Self::try_read`], or with `to_write` also [`Self::try_write`], can do something.
    ///
    /// # Errors
    /// An [`io::Error`] when the runtime ends.
    pub async fn ready(&mut self, to_write: bool) -> io::Result<()> {
        poll_fn(|context| {
            if to_write && let Poll::Ready(writable) = self.poll_writable(context) {
                return Poll::Ready(writable);
            }
            self.socket.poll_read_ready(context).map_ok(drop)
        })
        .await
    }

    /// Waits until [`Self::try_write`] can do something.
    ///
    /// # Errors
    /// An [`io::Error`] when the runtime ends.
    pub async fn writable(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_writable(context)).await
    }

    /// Reads what is there; 0 bytes at the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there, otherwise that of the socket.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut all = None;
        let read = self.socket.try_io(Interest::READABLE, |mut socket| {
            let read = socket.read(buffer)?;
            // Less than there was room for is all that was there: the next look would find nothing.
            if read > 0 && read < buffer.len() {
                all = Some(read);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(read)
        });
        match all {
            Some(read) => Ok(read),
            None => read,
        }
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room, otherwise that of the socket.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.socket.get_ref().write(bytes);
        self.note_room(written)
    }

    fn note_room(&mut self, written: io::Result<usize>) -> io::Result<usize> {
        if let Err(error) = &written
            && error.kind() == io::ErrorKind::WouldBlock
            && self.full.is_none()
        {
            let socket = self.socket.get_ref().try_clone()?;
            self.full = Some(register(socket, Interest::WRITABLE)?);
        }
        written
    }

    fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(full) = &self.full {
            drop(ready!(full.poll_write_ready(context))?);
            self.full = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_with(
        &mut self,
        context: &mut Context<'_>,
        write: impl Fn(&net::UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_writable(context))?;
            let written = write(self.socket.get_ref());
            match self.note_room(written) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

fn register(socket: net::UnixStream, interest: Interest) -> io::Result<AsyncFd<net::UnixStream>> {
    // SAFETY: a socket of the standard library has one descriptor from its making until it is
    // dropped, and is dropped after its registration.
    #[allow(unsafe_code)]
    let registered = unsafe { AsyncFd::register_with_interest(socket, interest) };
    Ok(registered?)
}

impl AsyncRead for SocketStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            drop(ready!(self.socket.poll_read_ready(context))?);
            match self.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for SocketStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |mut socket| socket.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |mut socket| socket.write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.socket.get_ref().shutdown(Shutdown::Write) {
            // The other side was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            shut => shut,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Wake, Waker};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (SocketStream, SocketStream) {
        let (one, other) = UnixStream::pair().expect("a pair");
        let stream = |socket| SocketStream::new(socket).expect("taken");
        (stream(one), stream(other))
    }

    fn would_block<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
        result.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    #[tokio::test]
    async fn what_is_written_arrives_and_the_end_does() {
        let (mut one, mut other) = pair();
        one.write_all(b"abc").await.expect("room");
        let mut buffer = [0; 8];
        assert_eq!(other.read(&mut buffer).await.expect("there"), 3);
        assert_eq!(&buffer[..3], b"abc");
        assert!(would_block(other.try_read(&mut buffer)));
        // As much as there is room for: the next read finds the end all the same.
        one.write_all(&[7; 8]).await.expect("room");
        one.shutdown().await.expect("shut");
        other.ready(false).await.expect("there");
        assert_eq!(other.try_read(&mut buffer).expect("there"), 8);
        assert_eq!(other.read(&mut buffer).await.expect("the end"), 0);
        assert_eq!(other.read(&mut buffer).await.expect("still"), 0);
    }

    #[tokio::test]
    async fn an_end_that_comes_with_the_last_bytes_is_seen_behind_them() {
        let (mut one, mut other) = pair();
        one.write_all(b"abc").await.expect("room");
        one.shutdown().await.expect("shut");
        drop(one);
        let mut buffer = [0; 8];
        other.ready(false).await.expect("there");
        assert_eq!(other.try_read(&mut buffer).expect("there"), 3);
        other.ready(false).await.expect("there");
        assert_eq!(other.try_read(&mut buffer).expect("the end"), 0);
    }

    #[tokio::test]
    async fn a_full_socket_tells_when_there_is_room_again() {
        let (mut one, mut other) = pair();
        let mut written = 0_usize;
        loop {
            match one.try_write(&[1; 4_096]) {
                Ok(n) => written += n,
                Err(error) => break assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        {
            let mut room = std::pin::pin!(one.writable());
            let mut context = Context::from_waker(Waker::noop());
            assert!(room.as_mut().poll(&mut context).is_pending(), "no room");
            let mut read = 0;
            let mut buffer = vec![0; 1 << 16];
            while read < written {
                read += other.read(&mut buffer).await.expect("there");
            }
            room.await.expect("room");
        }
        assert!(one.full.is_none());
        one.write_all(b"x").await.expect("room");
        // More than there is room for, read while it is written.
        let sent = vec![2; 4 << 20];
        let (wrote, read) = tokio::join!(
            async {
                one.write_all(&sent).await?;
                one.shutdown().await
            },
            async {
                let mut all = Vec::new();
                other.read_to_end(&mut all).await.map(|_| all)
            }
        );
        wrote.expect("all written");
        assert_eq!(read.expect("all read")[1..], sent);
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn who_waits_to_read_is_not_woken_when_the_other_side_has_read() {
        let (mut one, mut other) = pair();
        one.write_all(b"question").await.expect("room");
        one.ready(true).await.expect("room, as far as is known");
        let woken = Arc::new(Woken::default());
        {
            let mut answer = std::pin::pin!(one.ready(false));
            let waker = woken.clone().into();
            let mut context = Context::from_waker(&waker);
            assert!(answer.as_mut().poll(&mut context).is_pending());
            assert_eq!(other.read(&mut [0; 16]).await.expect("there"), 8);
            // Until the runtime has asked the kernel for events.
            let (mut third, mut fourth) = pair();
            third.write_all(b"x").await.expect("room");
            fourth.ready(false).await.expect("there");
            assert!(!woken.0.load(Ordering::Relaxed));
            assert!(answer.as_mut().poll(&mut context).is_pending());
            other.write_all(b"answer").await.expect("room");
            answer.await.expect("there");
        }
        assert_eq!(one.try_read(&mut [0; 16]).expect("there"), 6);
    }

    #[tokio::test]
    async fn who_writes_to_nobody_is_told() {
        let (mut one, other) = pair();
        drop(other);
        let error = one.try_write(b"x").expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(one.read(&mut [0; 4]).await.expect("the end"), 0);
    }
}

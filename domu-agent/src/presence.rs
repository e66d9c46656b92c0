//! Whether an application is still there while it has nothing to say.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, send};
use tokio::net::UnixStream;
use tokio::time::sleep;

/// How often a silent application is looked for.
const INTERVAL: Duration = Duration::from_secs(2);
/// Most bytes that an application may send before its connection stands.
const MAX_EARLY: usize = 65_536;

/// Whether the other end of `stream` is closed. One that has only shut down its sending
/// direction is still there.
///
/// Sending nothing over a Unix stream socket fails once the peer is gone, and does nothing else.
pub(crate) fn has_left(stream: &UnixStream) -> bool {
    let nothing = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    send(stream.as_raw_fd(), &[], nothing).is_err()
}

/// Waits until the other end of `stream` is closed.
pub(crate) async fn left(stream: &UnixStream) {
    while !has_left(stream) {
        sleep(INTERVAL).await;
    }
}

/// Waits until the other end of `stream` is closed; what it sends until then is of no interest.
pub(crate) async fn closed(stream: &UnixStream) {
    silent(stream).await;
    left(stream).await;
}

/// Waits until the other end of `stream` is closed or will send nothing more; what it sends until
/// then is of no interest.
pub(crate) async fn silent(stream: &UnixStream) {
    let mut ignored = [0; 256];
    loop {
        match stream
            .readable()
            .await
            .map(|()| stream.try_read(&mut ignored))
        {
            Ok(Ok(0)) => return,
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// Takes in what an application sends before its connection stands.
#[derive(Default)]
pub(crate) struct EarlyData {
    /// What it has sent.
    pub(crate) bytes: Vec<u8>,
    /// Whether it will send nothing more.
    pub(crate) ended: bool,
}

/// How an application stopped waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// It is gone.
    Left,
    /// It sent something.
    Spoke,
}

impl EarlyData {
    /// Reads until the application has left. Can be cancelled at any time.
    pub(crate) async fn read_until_left(&mut self, stream: &UnixStream) {
        while !self.ended && self.bytes.len() < MAX_EARLY {
            if self.read(stream).await.is_err() {
                return;
            }
        }
        left(stream).await;
    }

    /// Waits until the application has left or sent anything. Can be cancelled at any time.
    pub(crate) async fn wait_for_any(&mut self, stream: &UnixStream) -> Interruption {
        while !self.ended && self.bytes.is_empty() {
            if self.read(stream).await.is_err() {
                return Interruption::Left;
            }
        }
        if !self.bytes.is_empty() {
            return Interruption::Spoke;
        }
        left(stream).await;
        Interruption::Left
    }

    async fn read(&mut self, stream: &UnixStream) -> io::Result<()> {
        stream.readable().await?;
        match stream.try_read_buf(&mut self.bytes) {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(gone) => return Err(gone),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn half_closed_is_there_and_closed_is_not() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        assert!(!has_left(&ours));
        theirs.shutdown().await.expect("open");
        assert!(!has_left(&ours));
        drop(theirs);
        assert!(has_left(&ours));
    }

    #[tokio::test]
    async fn looking_sends_nothing() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        assert!(!has_left(&ours));
        let error = theirs.try_read(&mut [0]).expect_err("nothing there");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn what_came_before_the_end_is_kept() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        theirs.write_all(b"early").await.expect("open");
        drop(theirs);
        let mut early = EarlyData::default();
        early.read_until_left(&ours).await;
        assert_eq!(early.bytes, b"early");
        assert!(early.ended);
    }

    #[tokio::test]
    async fn speaking_and_leaving_are_told_apart() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        theirs.write_all(b"x").await.expect("open");
        let mut early = EarlyData::default();
        assert_eq!(early.wait_for_any(&ours).await, Interruption::Spoke);
        assert_eq!(early.wait_for_any(&ours).await, Interruption::Spoke);
        drop(theirs);
        let mut early = EarlyData::default();
        assert_eq!(early.wait_for_any(&ours).await, Interruption::Left);
    }
}

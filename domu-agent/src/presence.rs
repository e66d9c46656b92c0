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

/// Takes in what an application sends before its connection stands.
#[derive(Default)]
pub(crate) struct EarlyData {
    /// What it has sent.
    pub(crate) bytes: Vec<u8>,
    /// Whether it will send nothing more.
    pub(crate) ended: bool,
}

impl EarlyData {
    /// Reads until the application has left. Can be cancelled at any time.
    pub(crate) async fn read_until_left(&mut self, stream: &UnixStream) {
        while !self.ended && self.bytes.len() < MAX_EARLY {
            let read = match stream.readable().await {
                Ok(()) => stream.try_read_buf(&mut self.bytes),
                Err(error) => Err(error),
            };
            match read {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_gone) => return,
            }
        }
        left(stream).await;
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
}

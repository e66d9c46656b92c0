//! Doors for fuzz targets to what reads hostile bytes and is private.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::AsyncWriteExt;

pub use crate::audit::fuzzing::{audit_lines, chained_audit_lines};
pub use crate::card::vicc::fuzzing::virtual_card;
pub use crate::xen::fuzzing::{directory, nodes};

/// Runs what never has to wait, because all that it could wait for is there or has ended.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

/// One end of a connection whose other end has said `bytes` and nothing more, and listens on.
pub(crate) fn after(bytes: &[u8]) -> (tokio::io::DuplexStream, tokio::io::DuplexStream) {
    let (mut theirs, ours) = tokio::io::duplex(bytes.len() + ROOM);
    at_once(async {
        theirs.write_all(bytes).await.expect("there is room");
        theirs.shutdown().await.expect("a pipe");
    });
    (ours, theirs)
}

/// For what we say, in bytes.
const ROOM: usize = 1 << 20;

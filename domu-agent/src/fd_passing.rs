//! One descriptor along with bytes, over a Unix socket (`SCM_RIGHTS`).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Sends some of `bytes`, and `fd` with the first of them. Returns how many bytes went out; once
/// that is not 0, `fd` did as well.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], fd: BorrowedFd<'_>) -> io::Result<usize> {
    let fds = [fd];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    let parts = [IoSlice::new(bytes)];
    Ok(sendmsg(
        socket,
        &parts,
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?)
}

/// Receives some bytes, 0 at the end, and the descriptor that came with them, which programs
/// started later do not get. Of several descriptors the first is kept.
pub(crate) fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(buffer)];
    let received = recvmsg(socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok((received.bytes, fds.next()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_descriptor_arrives_with_the_first_byte_and_works() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (mut sent, mut kept) = UnixStream::pair().expect("a pair");
        assert_eq!(send(&ours, b"line\n", sent.as_fd()).expect("room"), 5);
        sent = UnixStream::pair().expect("another").0;
        drop(sent);

        let mut byte = [0];
        let (length, fd) = receive(&theirs, &mut byte).expect("sent");
        assert_eq!((length, &byte), (1, b"l"));
        let mut arrived = UnixStream::from(fd.expect("a descriptor"));
        arrived.write_all(b"still open").expect("open");
        drop(arrived);
        let mut text = String::new();
        kept.read_to_string(&mut text).expect("open");
        assert_eq!(text, "still open");

        let mut rest = [0; 8];
        let (length, fd) = receive(&theirs, &mut rest).expect("sent");
        assert_eq!((length, fd.is_none()), (4, true));
    }

    #[test]
    fn a_received_descriptor_is_not_inherited() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        send(&ours, b"x", theirs.as_fd()).expect("room");
        let (_, fd) = receive(&theirs, &mut [0; 8]).expect("sent");
        let flags = rustix::io::fcntl_getfd(fd.expect("a descriptor")).expect("open");
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn the_end_is_no_descriptor() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        drop(ours);
        let (length, fd) = receive(&theirs, &mut [0; 8]).expect("the end");
        assert_eq!((length, fd.is_none()), (0, true));
    }
}

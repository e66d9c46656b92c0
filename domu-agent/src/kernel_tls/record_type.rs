//! The kind of a record, beside its content: control messages of a kernel TLS socket.
//!
//! ```text
//! struct cmsghdr: length (a word) | level 282 (4) | type 1 or 2 (4) | content type (1)
//! ```
//!
//! Receiving one is in nix (`TlsGetRecordType`), sending one is not, so it is written here; the
//! kernel copies it before it looks at it, so that its place in memory does not matter.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, TlsGetRecordType, recvmsg};
use proto::tls::ContentType;
use socket2::{MsgHdr, SockRef};

/// Bytes of a `cmsghdr`.
const HEADER_LEN: usize = size_of::<usize>() + 2 * size_of::<libc::c_int>();

/// Has the kernel seal one record of this type. Does not wait.
pub(super) fn send(socket: &TcpStream, kind: ContentType, content: &[u8]) -> io::Result<()> {
    let control = control_message(kind);
    let parts = [IoSlice::new(content)];
    let message = MsgHdr::new().with_buffers(&parts).with_control(&control);
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    SockRef::from(socket).sendmsg(&message, flags).map(drop)
}

/// What is next on the way to the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Data.
    Data,
    /// A record of another type, and how many bytes of its content are in the buffer.
    Control(ContentType, usize),
    /// The end of TCP.
    End,
}

/// Opens the next record into `buffer`, and leaves it there for the next who reads if `peek`. Does
/// not wait.
pub(super) fn receive(socket: &TcpStream, buffer: &mut [u8], peek: bool) -> Result<Next, Errno> {
    let mut space = nix::cmsg_space!(u8);
    let mut parts = [IoSliceMut::new(buffer)];
    let mut flags = MsgFlags::MSG_DONTWAIT;
    flags.set(MsgFlags::MSG_PEEK, peek);
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let kind = message.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::TlsGetRecordType(kind) => Some(content_type(kind)),
        _ => None,
    });
    Ok(match (kind, message.bytes) {
        (None, 0) => Next::End,
        (None | Some(ContentType::ApplicationData), _) => Next::Data,
        (Some(kind), length) => Next::Control(kind, length),
    })
}

fn control_message(kind: ContentType) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER_LEN + size_of::<usize>());
    message.extend((HEADER_LEN + 1).to_ne_bytes());
    message.extend(libc::SOL_TLS.to_ne_bytes());
    message.extend(libc::TLS_SET_RECORD_TYPE.to_ne_bytes());
    message.push(kind.into());
    message.resize(HEADER_LEN + size_of::<usize>(), 0);
    message
}

fn content_type(kind: TlsGetRecordType) -> ContentType {
    ContentType::from(match kind {
        TlsGetRecordType::ChangeCipherSpec => 20,
        TlsGetRecordType::Alert => 21,
        TlsGetRecordType::Handshake => 22,
        TlsGetRecordType::ApplicationData => 23,
        TlsGetRecordType::Unknown(other) => other,
        // Non-exhaustive in nix.
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_pointer_width = "64", target_endian = "little"))]
    fn the_control_message_is_the_kernels() {
        let expected = [
            [17, 0, 0, 0, 0, 0, 0, 0],
            [0x1a, 1, 0, 0, 1, 0, 0, 0],
            [21, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(control_message(ContentType::Alert), expected.concat());
    }
}

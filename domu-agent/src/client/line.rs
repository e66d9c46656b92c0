//! Reading one line of an agent.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{MsgFlags, recv};
use zeroize::Zeroizing;

use crate::fd_passing;

/// Longest answer, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// Bytes read at once.
const READ_SIZE: usize = 4_096;

/// Reads up to the newline and not one byte further: plaintext may follow.
pub(super) fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut buffer = [0; READ_SIZE];
    loop {
        let peeked = recv(stream.as_raw_fd(), &mut buffer, MsgFlags::MSG_PEEK);
        let peeked = match peeked {
            Err(nix::errno::Errno::EINTR) => continue,
            peeked => peeked?,
        };
        let seen = buffer.get(..peeked).unwrap_or_default();
        let newline = seen.iter().position(|byte| *byte == b'\n');
        let take = newline.map_or(peeked, |at| at + 1);
        if take == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (taken, _) = buffer.split_at_mut(take);
        stream.read_exact(taken)?;
        line.extend_from_slice(taken);
        if newline.is_some() {
            return Ok(line);
        }
        if line.len() > MAX_ANSWER {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// Reads up to the newline, with the descriptor that comes along. Nothing may follow the line. It
/// may hold keys: no copy of it is left in memory.
pub(super) fn read_line_with_fd(
    stream: &UnixStream,
) -> io::Result<(Zeroizing<Vec<u8>>, Option<OwnedFd>)> {
    let mut line = Zeroizing::new(Vec::with_capacity(READ_SIZE));
    let mut buffer = Zeroizing::new([0; READ_SIZE]);
    let mut fd = None;
    loop {
        let (length, with) = match fd_passing::receive(stream, buffer.as_mut_slice()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            received => received?,
        };
        fd = fd.or(with);
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        append(&mut line, bytes);
        if let Some(newline) = bytes.iter().position(|byte| *byte == b'\n') {
            return match newline + 1 == bytes.len() {
                true => Ok((line, fd)),
                false => Err(io::ErrorKind::InvalidData.into()),
            };
        }
        if line.len() > MAX_ANSWER {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// Like `extend`, but where that would leave the old bytes behind in memory, they are wiped.
fn append(line: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    if line.capacity() - line.len() < bytes.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity(2 * (line.len() + bytes.len())));
        larger.extend_from_slice(line);
        *line = larger;
    }
    line.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn the_byte_after_the_line_stays_in_the_socket() {
        let (mut ours, mut theirs) = UnixStream::pair().expect("a pair");
        let long = "x".repeat(10_000);
        write!(theirs, "{long}\nplaintext").expect("room");
        drop(theirs);
        let line = read_line(&mut ours).expect("a line");
        assert_eq!(line, format!("{long}\n").into_bytes());
        let mut rest = String::new();
        ours.read_to_string(&mut rest).expect("the rest");
        assert_eq!(rest, "plaintext");
    }

    #[test]
    fn an_agent_that_breaks_off_is_an_error() {
        let (mut ours, mut theirs) = UnixStream::pair().expect("a pair");
        theirs.write_all(b"{\"est").expect("room");
        drop(theirs);
        let error = read_line(&mut ours).expect_err("no newline");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_long_line_comes_whole_with_its_descriptor() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let long = "x".repeat(20_000) + "\n";
        let sent = fd_passing::send(&theirs, long.as_bytes(), ours.as_fd()).expect("room");
        let (_, rest) = long.as_bytes().split_at(sent);
        theirs.write_all(rest).expect("room");
        let (line, fd) = read_line_with_fd(&ours).expect("a line");
        assert!(line.as_slice() == long.as_bytes());
        assert!(fd.is_some());
    }

    #[test]
    fn a_line_with_something_behind_it_is_an_error() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        theirs.write_all(b"{}\nplaintext").expect("room");
        let error = read_line_with_fd(&ours).expect_err("too much");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

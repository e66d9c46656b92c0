//! A blocking client of the agent, for programs and for this command line.
//!
//! ```no_run
//! use std::io::{Read, Write};
//!
//! use domu_agent::client::{Client, ConnectRequest};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("/run/domu-agent/agent.sock");
//! let request = ConnectRequest {
//!     connect: "www.example.org:443".to_owned(),
//!     ..ConnectRequest::default()
//! };
//! let (established, mut stream) = client.connect(request)?;
//! println!("{} {}", established.version, established.cipher_suite);
//! stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
//! let mut page = Vec::new();
//! stream.read_to_end(&mut page)?;
//! # Ok(())
//! # }
//! ```

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::socket::{MsgFlags, recv, send};

use crate::app::{Answer, Request};
pub use crate::app::{
    AppError, ConnectRequest, Dom0Status, EstablishedAnswer, IdentityAnswer, Mode, SessionCounts,
    StatusAnswer,
};

/// Longest answer, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// The way to an agent.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// Why there is no answer, or no is the answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The agent cannot be reached, or broke off.
    #[error("agent at {}: {source}", socket.display())]
    Agent {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The agent's answer makes no sense.
    #[error("the agent's answer makes no sense")]
    Answer,
    /// The agent says no.
    #[error(transparent)]
    Refused(#[from] AppError),
}

impl Client {
    /// A client of the agent that listens on `socket`.
    pub fn new(socket: impl AsRef<Path>) -> Self {
        Self {
            socket: socket.as_ref().to_owned(),
        }
    }

    /// Asks for a TLS connection. The stream carries its plaintext; shutting down its sending
    /// direction sends close_notify. `request.mode` is ignored: it is `stream`.
    ///
    /// A complete stream ends with the end of file while it still takes data. One that was cut
    /// short no longer takes data: writing fails, `poll` reports a hang-up, and [`was_cut_short`]
    /// says so.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(
        &self,
        request: ConnectRequest,
    ) -> Result<(EstablishedAnswer, UnixStream), ClientError> {
        let mode = Mode::Stream;
        let request = Request::Connect(Box::new(ConnectRequest { mode, ..request }));
        match self.ask(&request)? {
            (Answer::Established(established), stream) => Ok((established, stream)),
            (answer, _) => Err(unexpected(answer)),
        }
    }

    /// Asks what the guest may use.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn identities(&self) -> Result<Vec<IdentityAnswer>, ClientError> {
        match self.ask(&Request::Identities)?.0 {
            Answer::Identities(identities) => Ok(identities),
            answer => Err(unexpected(answer)),
        }
    }

    /// Asks how the agent is doing.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn status(&self) -> Result<StatusAnswer, ClientError> {
        match self.ask(&Request::Status)?.0 {
            Answer::Status(status) => Ok(status),
            answer => Err(unexpected(answer)),
        }
    }

    fn ask(&self, request: &Request) -> Result<(Answer, UnixStream), ClientError> {
        let agent = |source| ClientError::Agent {
            socket: self.socket.clone(),
            source,
        };
        let mut stream = UnixStream::connect(&self.socket).map_err(agent)?;
        stream
            .write_all(request.to_line().as_bytes())
            .map_err(agent)?;
        let line = read_line(&mut stream).map_err(agent)?;
        let answer = serde_json::from_slice(&line).map_err(|_| ClientError::Answer)?;
        Ok((answer, stream))
    }
}

/// Whether a stream that has come to its end was cut short: the server's data may be incomplete.
///
/// Ask after the end of file and before shutting down the sending direction; later the two kinds
/// of end look alike.
pub fn was_cut_short(stream: &UnixStream) -> bool {
    send(stream.as_raw_fd(), &[], MsgFlags::MSG_NOSIGNAL).is_err()
}

fn unexpected(answer: Answer) -> ClientError {
    match answer {
        Answer::Error(error) => ClientError::Refused(error),
        Answer::Established(_) | Answer::Identities(_) | Answer::Status(_) => ClientError::Answer,
    }
}

/// Reads up to the newline and not one byte further: plaintext may follow.
fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
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

#[cfg(test)]
mod tests {
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
}

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
//!
//! [`Client::connect_socket`] gives a socket that may be handed to another program,
//! [`Client::connect_plaintext`] the fastest that there is, and [`Client::connect_keys`] the keys
//! themselves:
//!
//! ```no_run
//! use domu_agent::client::{Client, ConnectRequest, KeysConnection};
//! use proto::tls::RecordLayer;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let request = ConnectRequest {
//!     connect: "www.example.org:443".to_owned(),
//!     ..ConnectRequest::default()
//! };
//! let client = Client::new("/run/domu-agent/agent.sock");
//! let KeysConnection { keys, surplus, server, request, .. } = client.connect_keys(request)?;
//! let mut records = RecordLayer::new(keys)?;
//! // Open `surplus`, then what `server` gives; seal what goes there. `request` stays open as long.
//! # Ok(())
//! # }
//! ```

mod keys;
mod line;
mod plaintext;

use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::socket::{MsgFlags, send};

pub use self::keys::KeysConnection;
use self::line::{read_line, read_line_with_fd};
pub use self::plaintext::PlaintextSocket;
use crate::app::{Answer, KeysAnswer, Request};
pub use crate::app::{
    AppError, ConnectRequest, Dom0Status, EndedAnswer, Ending, EstablishedAnswer, IdentityAnswer,
    Mode, SessionCounts, StatusAnswer, Verdict, Via,
};
pub use crate::kernel_tls::KernelTlsStatus;

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

    /// Asks for a TLS connection with a socket of its own for the plaintext, which another program
    /// may be given, and which is as that of [`Self::connect`] in all else: the agent serves it.
    /// `request.mode` and `request.via` are ignored: they are `socket` and `relay`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect_socket(
        &self,
        request: ConnectRequest,
    ) -> Result<(EstablishedAnswer, UnixStream), ClientError> {
        let via = Some(Via::Relay);
        let (established, fd, _) = self.receive_socket(ConnectRequest { via, ..request })?;
        Ok((established, fd.into()))
    }

    /// Asks for a TLS connection whose records the kernel seals and opens, if it can and the
    /// caller may have keys (`[[allow]]`), and the agent if not. `request.mode` is ignored: it is
    /// `socket`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect_plaintext(
        &self,
        request: ConnectRequest,
    ) -> Result<PlaintextSocket, ClientError> {
        let (established, fd, stream) = self.receive_socket(request)?;
        Ok(PlaintextSocket::new(self.clone(), established, fd, stream))
    }

    fn receive_socket(
        &self,
        request: ConnectRequest,
    ) -> Result<(EstablishedAnswer, OwnedFd, UnixStream), ClientError> {
        let mode = Mode::Socket;
        let request = Request::Connect(Box::new(ConnectRequest { mode, ..request }));
        let stream = self.send(&request)?;
        let (line, fd) = read_line_with_fd(&stream).map_err(|source| self.broken(source))?;
        match (parse(&line)?, fd) {
            (Answer::Established(established), Some(fd)) => Ok((established, fd, stream)),
            (answer, _) => Err(unexpected(answer)),
        }
    }

    /// Asks for a TLS connection with its keys: the caller seals and opens the records itself, and
    /// the agent has forgotten the keys. `request.mode` is ignored: it is `keys`, which the agent's
    /// `[[allow]]` must name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect_keys(&self, request: ConnectRequest) -> Result<KeysConnection, ClientError> {
        let mode = Mode::Keys;
        let request = Request::Connect(Box::new(ConnectRequest { mode, ..request }));
        let stream = self.send(&request)?;
        let (line, fd) = read_line_with_fd(&stream).map_err(|source| self.broken(source))?;
        match (parse(&line)?, KeysAnswer::from_line(&line), fd) {
            (Answer::Established(established), Some(keys), Some(fd)) => {
                KeysConnection::new(established, keys, fd.into(), stream).ok_or(ClientError::Answer)
            }
            (answer, ..) => Err(unexpected(answer)),
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

    /// Asks how a connection ended: [`EstablishedAnswer::session`] is its number. Where a server
    /// refused the client's certificate after the handshake, as it does in TLS 1.3, this says so.
    ///
    /// # Errors
    /// [`ClientError`], also for a connection that another user has asked for.
    pub fn ended(&self, session: u64) -> Result<EndedAnswer, ClientError> {
        match self.ask(&Request::Ended(session))?.0 {
            Answer::Ended(ended) => Ok(ended),
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
        let mut stream = self.send(request)?;
        let line = read_line(&mut stream).map_err(|source| self.broken(source))?;
        Ok((parse(&line)?, stream))
    }

    fn send(&self, request: &Request) -> Result<UnixStream, ClientError> {
        let stream = UnixStream::connect(&self.socket);
        let mut stream = stream.map_err(|source| self.broken(source))?;
        let sent = stream.write_all(request.to_line().as_bytes());
        sent.map_err(|source| self.broken(source))?;
        Ok(stream)
    }

    fn broken(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        ClientError::Agent { socket, source }
    }
}

fn parse(line: &[u8]) -> Result<Answer, ClientError> {
    serde_json::from_slice(line).map_err(|_| ClientError::Answer)
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
        Answer::Established(_) | Answer::Identities(_) | Answer::Ended(_) | Answer::Status(_) => {
            ClientError::Answer
        }
    }
}

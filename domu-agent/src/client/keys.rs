//! A TLS connection whose keys the application holds.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use proto::agent::EstablishedFlags;
use proto::tls::Established;

use crate::app::{EstablishedAnswer, KeysAnswer};

/// What mode `keys` gives. The keys are wiped when this is dropped, and by whoever takes them.
#[derive(Debug)]
pub struct KeysConnection {
    /// What is answered in every mode.
    pub established: EstablishedAnswer,
    /// Version, suite, keys, and where the two directions stand: what a
    /// [`RecordLayer`](proto::tls::RecordLayer) starts from.
    pub keys: Established,
    /// How the handshake went.
    pub flags: EstablishedFlags,
    /// What the server has sent behind the handshake, as records: to be opened before anything
    /// that `server` gives.
    pub surplus: Vec<u8>,
    /// The server's certificate chain, leaf first, each as DER; a long chain is cut to its leaf.
    pub peer_certificates: Vec<Vec<u8>>,
    /// The TCP connection. It carries TLS records; its owner sends the close_notify as well.
    pub server: TcpStream,
    /// The socket of the request. While it is open, the agent shuts `server` down when the right to
    /// the card ends; to be kept as long as `server`.
    pub request: UnixStream,
}

impl KeysConnection {
    pub(super) fn new(
        established: EstablishedAnswer,
        mut answer: KeysAnswer,
        server: TcpStream,
        request: UnixStream,
    ) -> Option<Self> {
        Some(Self {
            established,
            flags: answer.flags(),
            surplus: answer.take_surplus(),
            peer_certificates: answer.take_peer_certificates(),
            keys: answer.into_keys()?,
            server,
            request,
        })
    }
}

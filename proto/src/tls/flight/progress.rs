//! What a flight reader is told, and what it tells.

use crate::tls::certificate::CertificateList;
use crate::tls::hello::ServerHello;
use crate::tls::version::ProtocolVersion;

/// Which of the server's flights comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedFlight {
    /// The answer to ClientHello: full or abbreviated, as the server chooses.
    First,
    /// The end of a full handshake in the version of its ServerHello.
    Last(ProtocolVersion),
}

/// Bounds on what a server may make us hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlightLimits {
    /// Most bytes of one flight, record headers included.
    pub max_bytes: usize,
}

/// What follows from one more record.
#[derive(Debug, PartialEq, Eq)]
pub enum FlightProgress {
    /// The flight goes on.
    NeedMore,
    /// The flight is whole; the next record is not part of it.
    Complete(Flight),
    /// The server chose TLS 1.3: from here on records go to the card one by one, unread.
    Tls13(Flight),
}

/// A whole flight of a server.
#[derive(Debug, PartialEq, Eq)]
pub struct Flight {
    /// Its records as they were received.
    pub bytes: Vec<u8>,
    /// What was in them.
    pub kind: FlightKind,
}

/// The content of a server flight.
#[derive(Debug, PartialEq, Eq)]
pub enum FlightKind {
    /// The server starts a full handshake.
    Full {
        /// What it chose.
        server_hello: ServerHello,
        /// Who it says it is: at least one certificate, none of them verified.
        certificates: CertificateList,
        /// Whether it asks for the client's certificate.
        certificate_requested: bool,
    },
    /// The server resumes a session and is finished.
    Abbreviated {
        /// What it chose.
        server_hello: ServerHello,
        /// A ticket that replaces the one offered.
        new_ticket: Option<Vec<u8>>,
    },
    /// The server has finished a full handshake.
    Last {
        /// A ticket for the session.
        new_ticket: Option<Vec<u8>>,
    },
    /// The server chose TLS 1.3, or asks for another ClientHello in it (`is_retry`).
    Tls13Hello {
        /// What it chose.
        server_hello: ServerHello,
    },
}

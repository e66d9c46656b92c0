//! Flights: what one side of a handshake says before it waits for the other.
//!
//! Smart cards parse loosely, so no byte of a server flight reaches a card before the flight was
//! read here against a strict grammar. Up to TLS 1.2 a server may say, and nothing else:
//!
//! ```text
//! first, full         ServerHello, Certificate, [CertificateStatus], [ServerKeyExchange],
//!                     [CertificateRequest], ServerHelloDone
//! first, abbreviated  ServerHello, [NewSessionTicket], CCS, one encrypted record
//! last                [NewSessionTicket], CCS, one encrypted record
//! ```
//!
//! CCS is a ChangeCipherSpec record. Messages may share records and span them; every record of a
//! flight carries one version, that of ServerHello; an alert ends the flight wherever it comes.
//! In TLS 1.3 only ServerHello is in clear: the reader stops there.

mod client;
mod error;
mod explicit_nonce;
mod progress;
mod server;
mod states;

pub use client::{ClientFlight, ClientFlightKind};
pub use error::{FlightError, FlightItem};
pub use explicit_nonce::{explicit_nonce, next_explicit_nonce};
pub use progress::{ExpectedFlight, Flight, FlightKind, FlightLimits, FlightProgress};
pub use server::FlightReader;

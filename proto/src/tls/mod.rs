//! TLS as it crosses our boundaries: records, the clear part of handshakes, exported keys and the
//! record layer that lives on them.
//!
//! A TLS connection is a sequence of *records*: a five-byte header (type, version, length) and a
//! payload of at most 2^14 bytes of content. *Handshake messages* (type, three-byte length, body)
//! are cut freely over records of type 22; a *flight* is what one side says before it waits for
//! the other. A smart card runs the handshake; we read only the clear part of it, strictly,
//! because cards read loosely. When it ends, the card gives up the keys, and the guest goes on
//! alone: two directions, each a key, an IV and a counter of records.
//!
//! | Module | Holds |
//! |---|---|
//! | `record`, `content_type`, `version` | records and the reader that cuts a byte stream into them |
//! | `handshake`, `extension` | handshake messages put together over records, extension blocks |
//! | `hello`, `certificate`, `session_ticket` | the messages whose content matters to us |
//! | `flight` | the strict grammar of server flights, and the card's own flights |
//! | `alert` | alerts and their names |
//! | `cipher_suite`, `key_block`, `traffic_secret` | what the exported keys are and how they are cut |
//! | `established` | all a record layer starts from |
//! | `record_layer` | sealing and opening records after the handshake |
//!
//! Sources: RFC 2246, RFC 4346, RFC 5246 (TLS 1.0 to 1.2), RFC 8446 (TLS 1.3).

mod alert;
mod certificate;
mod cipher_suite;
mod content_type;
mod error;
mod established;
mod extension;
mod flight;
mod handshake;
mod hello;
mod key_block;
mod record;
mod record_layer;
mod session_ticket;
mod traffic_secret;
mod version;

#[cfg(test)]
mod samples;

pub use alert::{Alert, AlertDescription, AlertLevel};
pub use certificate::CertificateList;
pub use cipher_suite::{Aead, CipherSuite};
pub use content_type::ContentType;
pub use error::TlsError;
pub use established::{Established, SessionKeys};
pub use flight::{
    ClientFlight, ClientFlightKind, ExpectedFlight, Flight, FlightError, FlightItem, FlightKind,
    FlightLimits, FlightProgress, FlightReader, explicit_nonce, next_explicit_nonce,
};
pub use handshake::{HandshakeMessage, HandshakeReader, HandshakeType};
pub use hello::{ClientHello, ServerHello};
pub use key_block::{KeyBlock, KeyBlockParts, KeyBlockShape};
pub use record::{MAX_RECORD_PAYLOAD, RECORD_HEADER_LEN, Record, RecordReader};
#[cfg(feature = "fuzzing")]
pub use record_layer::ServerEnd;
pub use record_layer::{MAX_PLAINTEXT, MIN_RECORDS_PER_KEY, Opened, RecordError, RecordLayer};
pub use traffic_secret::TrafficSecrets;
pub use version::{ParseVersionError, ProtocolVersion};

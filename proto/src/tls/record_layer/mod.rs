//! The record layer: what is left of TLS when the handshake is over.
//!
//! Two directions, each with a key, an IV and a counter. A record's nonce must never come twice
//! under one key:
//!
//! | Records of | Nonce | Additional data |
//! |---|---|---|
//! | TLS 1.2, GCM (RFC 5288) | fixed IV (4) and explicit nonce (8, in the record) | sequence number, type, version, length of the content |
//! | TLS 1.2, ChaCha20 (RFC 7905) | IV (12) xor sequence number | the same |
//! | TLS 1.3 (RFC 8446 §5.2) | IV (12) xor sequence number | the record's header |
//!
//! The explicit nonce that we send starts where the handshake left it and counts up by one; it is
//! never made from the sequence number. What the peer sends is read as it comes.
//!
//! Beside data, the layer answers what a peer may still ask for: KeyUpdate in TLS 1.3, and a
//! HelloRequest in TLS 1.2, which is declined. Such answers wait in the layer until the caller
//! next writes or flushes. Everything a peer can repeat without sending data is counted.
//!
//! Secrets held here are wiped on drop. The expanded keys inside ring cannot be: ring offers no
//! way to.

mod control;
mod direction;
mod error;
mod layer;
mod limits;
mod opened;
mod post_handshake;
mod protection;
mod repetition;
#[cfg(feature = "fuzzing")]
mod server_end;
mod setup;
mod tls12;
mod tls13;

#[cfg(test)]
mod tests;

pub use error::RecordError;
pub use layer::RecordLayer;
pub use limits::{MAX_PLAINTEXT, MIN_RECORDS_PER_KEY};
pub use opened::Opened;
#[cfg(feature = "fuzzing")]
pub use server_end::ServerEnd;

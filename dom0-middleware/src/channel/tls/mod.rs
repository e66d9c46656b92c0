//! TLS on a channel, dom0's end.
//!
//! TLS 1.3 only, with ALPN [`ALPN`] or, for a guest that sends APDUs to its own card,
//! [`proto::racs::ALPN`], so that nothing else that speaks TLS is taken for an agent.
//! The guest shows a raw public key (RFC 7250) and proves by its CertificateVerify that it has the
//! private one; no X.509 of a guest is parsed. dom0 shows its channel key, certified by the HV key.
//! No session is ever resumed: no ticket is sent, none is taken, and there is no early data, so
//! each connection is a handshake of its own, with the key that the token names.
//!
//! | Module | Holds |
//! |---|---|
//! | `acceptor` | [`ChannelTls`]: one handshake |
//! | `client_key` | which keys a guest may have, and what it must prove |
//! | `error` | [`ChannelTlsError`]: why there is no channel |
//!
//! Source: design §3, "Channel TLS".

mod acceptor;
mod client_key;
mod error;

#[cfg(test)]
mod tests;

pub use self::acceptor::{ChannelTls, Secured};
pub use self::error::ChannelTlsError;

/// The application protocol of a channel (RFC 7301).
pub const ALPN: &[u8] = b"tessera/1";

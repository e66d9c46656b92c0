//! TLS to dom0, the agent's end.
//!
//! TLS 1.3 only, with ALPN `tessera/1`, or `racs/1` for RACS. The agent shows its channel key as a raw public key (RFC
//! 7250); dom0 shows a certificate for [`server_key::SERVER_NAME`], vouched for by an HV certificate
//! that is pinned. Sessions are not resumed, and there is no early data.
//!
//! rustls makes the handshake. What follows is sealed and opened by [`proto::tls::RecordLayer`], as
//! in TLS connections to servers: keys come over this channel, and rustls leaves what it has
//! decrypted behind in memory that it gives back without wiping it.
//!
//! | Module | Holds |
//! |---|---|
//! | `setup` | [`ClientTls`]: what all connections have in common |
//! | `pin` | [`HvPin`]: an HV certificate that is believed |
//! | `server_key` | whether what dom0 shows is believed |
//! | `handshake` | one handshake, without its socket |
//! | `secrets` | the secrets that the handshake ends in |
//! | `records` | the records after it, without their socket |
//! | `error` | [`TlsError`] |
//!
//! Source: design §3, "Channel TLS".

mod error;
mod handshake;
mod pin;
mod records;
mod secrets;
mod server_key;
mod setup;

#[cfg(test)]
mod tests;

pub(crate) use self::error::TlsError;
pub(super) use self::handshake::{Handshake, Progress};
pub(crate) use self::pin::HvPin;
pub(super) use self::records::Records;
pub(super) use self::setup::ALPN;
pub(crate) use self::setup::ClientTls;

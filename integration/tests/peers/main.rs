//! Servers by other TLS libraries, which demand a client certificate, at both doors: cards that make
//! the handshake themselves, and cards that only sign.

mod bad_finished;
mod door;
mod empty_records;
mod gnutls;
mod key_updates;
mod libraries;
mod misbehaving;
mod openssl;
mod outcome;
mod refused;
mod renegotiation;
mod small_records;
mod split_tickets;

/// The name in every server's certificate.
const NAME: &str = "www.example";

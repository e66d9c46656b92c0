//! The EAP-TLS application: a TLS client behind EAP packets.
//!
//! [`Machine`] takes segments and gives packets. It reads requests loosely ([`packet`]), runs one
//! [`handshake`] at a time on the [`engine`] and keeps its [`exports`] for the host. What the TLS
//! library asks of its surroundings is here too: a [`verifier`], a [`credential`], a [`clock`], a
//! [`session_store`] and a [`key_log`], one of each per card.

mod clock;
mod credential;
mod engine;
mod exports;
mod handshake;
mod key_log;
mod machine;
mod outbound;
mod packet;
mod server_hello;
mod session_store;
mod verifier;

pub(crate) use machine::{Machine, Reaction};

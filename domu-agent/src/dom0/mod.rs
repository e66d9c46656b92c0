//! The connection to dom0, shared by all sessions.
//!
//! | Module | Holds |
//! |---|---|
//! | `link` | [`link::Link`]: one connection without its socket: frames, sessions, silence |
//! | `actor` | the task that connects, serves, and connects again |
//! | `connection` | one connection with its socket: hands messages to those who wait for them |
//! | `handle` | [`Dom0`] and [`Session`]: what the rest of the agent sees |
//! | `channel`, `backoff`, `token` | how to connect, when to try again, what to show |
//! | `error` | [`LinkError`], [`Dom0Error`] |
//!
//! Losing the connection ends handshakes that are not over. TLS connections that stand go on:
//! they need dom0 for nothing but hearing that the right to the card has ended.

mod actor;
mod backoff;
mod channel;
mod connection;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod handle;
mod link;
mod token;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use channel::Channel;
pub(crate) use error::{Dom0Error, LinkError};
pub(crate) use handle::{Dom0, Session, revocation};
pub(crate) use link::{SessionMessage, Wish};

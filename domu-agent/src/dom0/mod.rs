//! The connection to dom0, shared by all sessions.
//!
//! | Module | Holds |
//! |---|---|
//! | `link` | [`link::Link`]: one connection without its socket: frames, sessions, silence |
//! | `actor` | the task that connects, serves, and connects again |
//! | `connection` | one connection with its socket: hands messages to those who wait for them |
//! | `handle` | [`Dom0`] and [`Session`]: what the rest of the agent sees |
//! | `pipe`, `vchan` | its bytes: a Unix socket or a vchan; the way to the vchan |
//! | `wire` | the channel, with TLS or without |
//! | `tls` | TLS to dom0: handshake and records, without their socket |
//! | `channel`, `backoff` | how to connect, when to try again |
//! | `racs` | [`RacsConnection`]: a connection by which this guest speaks RACS to its own card |
//! | `token`, `token_watch` | what to show, and whether there is a new one |
//! | `stored_token` | the token that dom0 puts into xenstore |
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
mod pipe;
mod racs;
mod stored_token;
mod tls;
mod token;
mod token_watch;
mod vchan;
mod wire;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;

pub(crate) use channel::{Channel, ChannelError};
pub(crate) use error::{Dom0Error, LinkError};
pub(crate) use handle::{Dom0, Session, revocation};
pub(crate) use link::{SessionMessage, Wish};
pub(crate) use racs::{JoinError, RacsConnection, refusal as racs_refusal};
pub(crate) use tls::HvPin;
pub(crate) use token_watch::TokenPlace;

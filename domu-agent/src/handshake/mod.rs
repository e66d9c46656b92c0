//! Carries one handshake between dom0 and the server, without sockets.
//!
//! dom0's bytes go to the server as they are; the server's go to dom0 as whole records. Both are
//! watched on the way:
//!
//! | Module | Holds |
//! |---|---|
//! | `relay` | [`HandshakeRelay`]: what goes where, and what is left over at the end |
//! | `server_watch` | whether the server has said all that belongs to the handshake |
//! | `client_watch` | the explicit nonce of the client's Finished |
//! | `error` | [`HandshakeError`] |

mod client_watch;
mod error;
mod relay;
mod server_watch;

pub(crate) use error::HandshakeError;
pub(crate) use relay::{Handover, HandshakeRelay, Step};

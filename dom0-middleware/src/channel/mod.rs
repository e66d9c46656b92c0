//! Channels to guests: an identified peer and a byte stream, whatever the kind.
//!
//! A channel proves who is at its other end; nothing that a guest sends does. For a Unix socket
//! that is the path: one path, one domain, and only processes that may open it.
//!
//! | Module | Holds |
//! |---|---|
//! | `unix` | the listener of one domain: development and tests |
//! | [`tls`] | who a guest is beside its domid, and that nobody listens in |
//! | `link` | one connection: bytes to messages and back, bounded both ways |

mod link;
pub mod tls;
mod unix;

pub use self::link::{Inbound, Link, LinkEnd, LinkHandle, SendError};
pub use self::unix::UnixChannel;

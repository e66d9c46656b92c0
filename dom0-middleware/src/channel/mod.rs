//! Channels to guests: an identified peer and a byte stream, whatever the kind.
//!
//! A channel proves who is at its other end; nothing that a guest sends does. For a Unix socket
//! that is the path: one path, one domain, and only processes that may open it. For a vchan it is the
//! grant: Xen lets no other domain map its pages.
//!
//! | Module | Holds |
//! |---|---|
//! | `guest_channel` | what accepts the connections of one guest |
//! | `vchan` | a vchan of one domain: how guests on Xen come |
//! | `unix` | the listener of one domain: development and tests |
//! | [`tls`] | who a guest is beside its domid, and that nobody listens in |
//! | `link` | one connection: bytes to messages and back, bounded both ways |

mod guest_channel;
mod link;
pub mod tls;
mod unix;
mod vchan;

pub(crate) use self::guest_channel::GuestChannel;
pub use self::link::{Inbound, LastWords, Link, LinkEnd, LinkHandle, SendError};
pub use self::unix::UnixChannel;
pub(crate) use self::vchan::{Place, VchanChannel};

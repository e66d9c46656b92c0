//! A client of xenstored, for dom0 and for guests.
//!
//! # Primer
//!
//! xenstore is a small tree of nodes that a daemon in dom0 keeps for all domains of a host. A node
//! has a path, a value, and a list of who may use it. Programs in dom0 talk to the daemon through a
//! Unix socket, programs in a guest through the device `/dev/xen/xenbus`. Both carry the same
//! messages, with at most 4,096 bytes of payload (but see `directory`):
//!
//! ```text
//! | type | request id | transaction | length |  length bytes of payload
//!   u32    u32          u32           u32       in the machine's byte order
//! ```
//!
//! Each request has one answer with its request id: of its own type, or of type `ERROR` with the
//! name of an error as text. Who watches a path gets `WATCH_EVENT` messages, which answer nothing,
//! whenever a node at or below it changes.
//!
//! # What a caller can rely on
//!
//! - No call has a deadline: who calls has one, and drops the call when it passes. That costs
//!   nothing: the late answer is thrown away, and the connection stays as good as it was.
//! - When the daemon ends, or says what is no answer, all calls and watches end at once with
//!   [`XenstoreError::Ended`]. There is no way back: connect again.
//! - At most 64 requests are on their way; more wait for their turn.
//! - A path that does not begin with `/` is relative to the caller's own domain,
//!   `/local/domain/<domid>`.
//!
//! # Map
//!
//! | Module | Holds |
//! |---|---|
//! | `wire` | the bytes: messages, payloads, error names |
//! | `exchange` | which request an answer is for and which watch an event; without I/O |
//! | `transport` | the Unix socket and the device |
//! | `task` | the one task of a connection, which moves bytes |
//! | `client`, `directory`, `watch` | [`Xenstore`] and [`Watch`]: what can be asked |
//! | `error` | [`XenstoreError`] |
//!
//! Source: Xen, docs/misc/xenstore.txt; xen/include/public/io/xs_wire.h.

mod client;
mod directory;
mod error;
mod exchange;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod task;
mod transport;
mod watch;
mod wire;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use self::client::Xenstore;
pub use self::error::{Breach, Ending, XenstoreError};
pub use self::transport::{DEFAULT_SOCKET, DEVICE, socket_path};
pub use self::watch::Watch;
pub use self::wire::ErrorName;

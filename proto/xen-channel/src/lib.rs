//! A byte stream between two Xen domains.
//!
//! # Primer
//!
//! A *vchan* is two rings of bytes, one each way, in pages of memory that a server shares with one
//! other domain, and an event channel by which each side wakes the other. The server writes two
//! numbers into xenstore, below a path that both sides know: `ring-ref`, the grant of the first
//! page, and `event-channel`. The client reads them, maps the pages and is connected. One server
//! serves one client, once.
//!
//! ```text
//!  server (dom0)                              client (guest)
//!   libxenvchan_server_init
//!     shares pages with the guest, makes an event channel
//!     xenstore: PATH/ring-ref, PATH/event-channel ──> libxenvchan_client_init maps and binds
//!   read  <── ring "left"  ── write
//!   write ──> ring "right" ──> read
//! ```
//!
//! How many bytes are in a ring is told by two counters in the shared page. The peer can write
//! anything there, at any time. `libxenvchan` masks them and never moves more than a ring holds;
//! `ring` believes no number that it returns, and gives the stream up when one cannot be.
//!
//! `libxenvchan` is opened when the program runs: its name carries the release of Xen, and a
//! program must not be tied to one. A host without Xen needs no library of Xen.
//!
//! # Map
//!
//! | Module | Holds |
//! |---|---|
//! | `library` | the functions of libxenvchan, and the names it is looked for by |
//! | `handle` | one open vchan as the library has it; with `library` the only unsafe code |
//! | `leftovers` | what the library leaves unset, set |
//! | `ring` | what is believed of the library's answers, and when a stream has ended |
//! | `stream` | reading, writing and waiting on tokio |
//! | `closing` | closing where it may take time: the library asks xenstored |
//! | `forsaken` | not closing, where the domain was saved and restored |
//! | `server`, `client` | opening |
//! | `devices` | the device nodes that must be there, and how to get them |
//! | `socket` | a Unix socket in place of a vchan, where there is no Xen |
//!
//! # Costs
//!
//! An open server holds, whether a client ever comes or not: two descriptors (`/dev/xen/gntalloc`,
//! `/dev/xen/evtchn`), one event channel, one shared page and the pages of its rings. No thread:
//! opening and closing borrow one for the time of some requests to xenstored.

mod client;
mod closing;
mod devices;
mod forsaken;
mod handle;
mod leftovers;
mod library;
mod ring;
mod server;
mod socket;
mod stream;
mod wakers;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod stream_tests;

pub use self::devices::{Device, Role};
pub use self::handle::OpenError;
pub use self::library::{LIBRARY_VARIABLE, LibraryError, Libxenvchan};
pub use self::ring::{MAX_RING, RingFault};
pub use self::server::VchanServer;
pub use self::socket::SocketStream;
pub use self::stream::VchanStream;

//! Cards in readers, through PC/SC.
//!
//! The worker of a card polls its reader: a card that is there is connected to, exclusively, so
//! that nobody resets it or reads along. Each worker has a context of its own, since a context
//! serves one thread; it is made anew when the daemon was restarted.
//!
//! A call into the library cannot be cut short. A card that never answers keeps its worker; the
//! broker gives the session up at its deadline and says that the card is stuck.

mod error;
mod source;
mod transport;

pub use self::source::PcscSource;

//! A guest that sends APDUs to its own card, over its channel.
//!
//! # Primer
//!
//! ```text
//!  channel, TLS ──> visit ── RacsSession ── orders ──> card_thread ── hand ──> card
//! ```
//!
//! The connection is a task, for its stream is one of those that all guests have. Cards are spoken to on
//! a thread of its own, since they make one wait; so a guest's card delays nobody but that guest.
//! Who the guest is, and that it may, was judged before.
//!
//! | Module | Holds |
//! |---|---|
//! | `visit` | [`Visit`]: the connection, from its first request to its last |
//! | `card_thread` | the thread that speaks to the cards |

mod card_thread;
#[cfg(test)]
mod tests;
mod visit;

pub(crate) use self::visit::{Ending, LastWord, Visit};

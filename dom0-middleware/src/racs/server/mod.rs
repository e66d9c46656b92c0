//! The RACS server: users, and the cards in their hands.
//!
//! # Primer
//!
//! ```text
//!  user ── TCP, TLS ── line ──> connection ── RacsSession ── orders ──> hand ──> card
//!                                   │                                    │
//!                                 census (who is there)                grid (who lends cards)
//! ```
//!
//! Each connection has a thread of its own. It reads, lets the session judge, speaks to the cards in
//! its hand itself, and writes one response in one go. It waits for nobody but its own peer and its own
//! cards, and both have deadlines; so one connection is nothing to another. What it holds goes back
//! when the thread ends, however it ends.
//!
//! | Module | Holds |
//! |---|---|
//! | `address` | [`ListenAddress`]: where it listens |
//! | `settings` | [`RacsSettings`]: users and limits |
//! | `tls` | [`server_config`], and the user that a certificate names |
//! | `line` | TLS over a socket, with deadlines |
//! | `grid` | [`Grid`], [`Element`]: who lends cards |
//! | `hand` | the cards that a session holds; does its orders |
//! | `connection` | one connection, from its first byte to its last |
//! | `census` | [`Census`]: who is connected and holds what |
//! | `records` | [`Records`]: what the audit is told, and how often |
//! | `listener` | [`RacsListener`]: lets connections in |

mod address;
mod census;
mod connection;
mod grid;
mod hand;
mod line;
mod listener;
mod records;
mod settings;
#[cfg(test)]
pub(in crate::racs) mod testing;
#[cfg(test)]
mod tests;
mod tls;

pub use self::address::{DEFAULT_PORT, ListenAddress, NoAddress};
pub use self::census::{Census, HoldView, RacsConnectionView};
pub use self::grid::{Element, Fault, Grid, Lent};
pub(in crate::racs) use self::hand::{Hand, Unlisted};
pub use self::listener::{BindError, RacsListener, RacsServer};
pub use self::records::Records;
pub use self::settings::RacsSettings;
pub(crate) use self::settings::{DEFAULT_CONNECTIONS, DEFAULT_IDLE_LOCK};
pub use self::tls::{TlsSetupError, server_config};

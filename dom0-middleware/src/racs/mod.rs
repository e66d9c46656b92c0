//! RACS: the host's cards for users over the network, and other hosts' cards for this one.
//!
//! | Module | Holds |
//! |---|---|
//! | [`session`] | what a server does with one user's bytes, without I/O |
//! | [`client`] | the end that asks: for `grid` and for cards that are plugged into another host |
//! | [`server`] | users who connect, and the cards in their hands |

pub mod client;
pub(crate) mod guest;
pub mod server;
pub mod session;

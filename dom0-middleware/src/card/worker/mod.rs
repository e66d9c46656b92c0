//! The thread of one card: it owns transport and driver, and serves one use at a time.
//!
//! It never waits for ever: a card is waited for by deadline, everything else on the command
//! channel, with a tick to see cards come and go. What fails is told, the card is brought back by
//! a cold reset and a new opening, and the next use is served. A card that is lent is in the hand of
//! another thread meanwhile.

mod adoption;
mod inbox;
mod lend;
mod life;
mod link;
mod loan;
mod opening;
mod pin_look;
mod serve;
mod session;
mod sign;

#[cfg(test)]
mod tests;

pub(super) use self::inbox::Inbox;
pub(super) use self::life::Worker;
pub use self::loan::{LendAnswer, LendJob, LentCard, LoanError};

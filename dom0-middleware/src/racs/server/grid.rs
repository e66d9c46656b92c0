//! Who lends cards, as a session sees it.

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::id::Seid;
use thiserror::Error;

use super::super::session::RacsRefusal;

/// All cards of a host.
pub trait Grid: Clone + Send + 'static {
    /// One that is lent.
    type Card: Element;

    /// Those that are there, in the order in which they are to be listed.
    ///
    /// # Errors
    /// [`RacsRefusal`] when nobody knows.
    fn present(&self) -> Result<Vec<Seid>, RacsRefusal>;

    /// Lends one to a user: powered, reset, and nobody else's until it is dropped.
    ///
    /// # Errors
    /// [`RacsRefusal`] when it is not to be had.
    fn lend(&self, seid: &Seid, user: &str) -> Result<Lent<Self::Card>, RacsRefusal>;

    /// Whether a card that the user does not hold may count as powered off.
    ///
    /// # Errors
    /// [`RacsRefusal`] when somebody else uses it.
    fn is_free(&self, seid: &Seid) -> Result<(), RacsRefusal>;
}

/// A card for one user.
#[derive(Debug)]
pub struct Lent<C> {
    /// The card.
    pub card: C,
    /// Whether guests use its keys when it is not lent. It is taken back before that changes.
    pub bound: bool,
}

/// A card that is lent. Dropping it gives it back.
pub trait Element {
    /// Sends one command and waits for its response.
    ///
    /// # Errors
    /// [`Fault`] when there is none.
    fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, Fault>;

    /// Resets it; a warm reset leaves its power on.
    ///
    /// # Errors
    /// [`Fault`] when it gives no answer to reset.
    fn reset(&mut self, warm: bool) -> Result<(), Fault>;

    /// Whether it was taken back. Looks without waiting.
    fn is_recalled(&self) -> bool;
}

/// Why a card that is lent did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// It was taken back.
    #[error("the card was taken back")]
    Recalled,
    /// It is not there any more.
    #[error("the card was removed")]
    Removed,
    /// It failed; how. It may do better after a reset.
    #[error("{0}")]
    Failed(String),
}

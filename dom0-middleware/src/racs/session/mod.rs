//! One user's session with the RACS server, sans-IO.
//!
//! # Primer
//!
//! ```text
//!  TLS ── take(bytes) ──> RacsSession ── Do(order) ──> who has the cards
//!      <── Respond ──────             <── on_outcome ──
//! ```
//!
//! The machine reads requests, judges every command by the user's [`Rights`], says which card is to
//! do what, and puts the responses together. It holds back what must not reach a card: APDUs
//! outside of an allow-list, and instructions that use keys or PINs.
//!
//! Whoever drives it calls [`RacsSession::next_step`] until it says [`Step::NeedBytes`], and only
//! then reads from the connection; so what a session holds is bounded, however many commands a
//! request has. When it is dropped, its elements must be let go.
//!
//! | Module | Holds |
//! |---|---|
//! | `machine` | [`RacsSession`]: lines in, steps out |
//! | `commands` | what each command asks for |
//! | `outcomes` | what came of it |
//! | `apdu_run` | one APDU command: 6Cxx, MORE, CONTINUE |
//! | `order` | [`Order`], [`Outcome`], [`RacsRefusal`] |
//! | `rights` | [`Rights`], [`ElementRights`]: who may do what with which element |
//! | `buffer` | a response being put together |
//!
//! Source: specs/racs.md; where it differs from published servers, docs/specs/deviations.md.

mod apdu_run;
mod buffer;
mod commands;
mod machine;
mod order;
mod outcomes;
mod rights;

#[cfg(test)]
mod tests;

pub use self::machine::{RacsSession, Step};
pub use self::order::{Order, Outcome, RacsRefusal};
pub use self::rights::{ElementRights, Rights};

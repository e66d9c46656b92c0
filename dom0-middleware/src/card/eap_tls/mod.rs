//! The driver of EAP-TLS cards, sans-IO: it says which APDU comes next and takes the response.
//!
//! | Machine | From | To |
//! |---|---|---|
//! | [`opening`] | a card just reset | application selected, PIN verified, identities known |
//! | [`handshake`] | an open card and a [`HandshakeRequest`] | keys, or a reason |
//! | [`closing`] | any end of a handshake, good or bad | a card at rest |
//!
//! No machine waits, reads a clock or draws randomness; whatever a recorded trace fixes is a
//! field of [`DriverParameters`]. Every loop a card could keep going is counted.
//!
//! Source: specs/eap-tls-card.md, above all §5, §7, §9 and §13.

pub mod closing;
pub mod handshake;
pub mod opening;

mod command;
mod parameters;
mod request;
mod resumption;
mod talk;

#[cfg(test)]
pub(super) mod testing;

pub use self::parameters::{Capabilities, DriverParameters, OptionalSteps};
pub use self::request::HandshakeRequest;
pub use self::resumption::OfferedSession;

//! The driver of PIV cards, sans-IO: it says which APDU comes next and takes the response.
//!
//! | Machine | From | To |
//! |---|---|---|
//! | [`opening`] | a card just reset | application selected, keys known, PIN verified |
//! | [`signing`] | an open card and a [`SignRequest`] | a signature that was checked, or a reason |
//!
//! The card sees what is to be signed as a padded block (RSA) or a digest (elliptic curves); both are
//! made here, and what comes back is checked under the certificate's key before anyone gets it.
//! No machine waits, reads a clock or draws randomness. Every loop a card could keep going is
//! counted.
//!
//! Source: NIST SP 800-73-4 Part 2 and SP 800-78-4; RFC 8017 for the padding.

pub mod opening;
pub mod signing;

mod command;
mod key;
mod parameters;
mod pin;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use self::key::{KeyError, PivKey};
pub use self::parameters::PivParameters;
pub use self::signing::SignRequest;

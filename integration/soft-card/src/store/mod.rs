//! A card as a directory.
//!
//! ```text
//! DIR/                  0700
//!   card.toml           the identities, in the order they were added
//!   pins.toml           both PINs and their counters: written by every VERIFY, like EEPROM
//!   identity-0/         key.pem, cert.pem, ca.pem
//!   lock                held by the process that has the card
//! ```
//!
//! Files are 0600 and are replaced as a whole, so a crash leaves the former or the new one.

mod files;
mod open;
mod pins;

pub(crate) use open::fresh_pins;
pub use open::{CardDirectory, StoreError};

//! A card as a directory.
//!
//! ```text
//! DIR/                  0700
//!   card.toml           the profile; the identities, in the order they were added
//!   pins.toml           both PINs and their counters: written by every VERIFY, like EEPROM
//!   identity-0/         of an EAP-TLS card: key.pem, cert.pem, ca.pem
//!   keys/9a.pem         of a PIV card: the key of a slot
//!   objects/5fc105      of a PIV card: what is in a data object
//!   lock                held by the process that has the card
//! ```
//!
//! Files are 0600 and are replaced as a whole, so a crash leaves the former or the new one.

mod files;
mod open;
mod pins;
mod piv;

pub use open::{CardDirectory, StoreError};

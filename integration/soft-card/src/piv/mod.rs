//! A PIV card: keys that sign, and the certificates beside them.
//!
//! ```text
//! SELECT                          the PIV application
//! GET DATA                        CHUID, certificates, what the card can do
//! VERIFY                          the PIN
//! GENERAL AUTHENTICATE            a padded block or a hash -> a signature
//! ```
//!
//! Who manages the card (GENERAL AUTHENTICATE with the management key) also makes keys in it and
//! writes its data objects. Not here: secure messaging, the pairing code, biometrics, key agreement.
//!
//! | Module | Holds |
//! |---|---|
//! | `card` | [`PivCard`]: commands in, answers out |
//! | `authenticate` | GENERAL AUTHENTICATE: signatures |
//! | `manage` | the management key, and what it opens |
//! | `pins` | PIN, PUK, their counters |
//! | `key` | [`SlotKey`]: the private keys |
//! | `credential` | [`SlotPem`]: what a slot is personalised with |
//! | `objects` | [`Objects`]: the data objects, and those that every card has |
//! | `outbox` | answers in pieces: 61xx and GET RESPONSE |
//! | `memory` | [`Memory`]: what survives power-off |
//! | `template` | the template of GENERAL AUTHENTICATE |
//!
//! Source: NIST SP 800-73-4 parts 1 and 2, SP 800-78-4.

mod authenticate;
mod card;
mod credential;
mod key;
mod manage;
mod memory;
mod objects;
mod outbox;
mod pins;
mod template;

pub use card::{ATR_PIV, ATR_PIV_T0, PivCard};
pub use credential::SlotPem;
pub use key::{KeyError, SlotKey};
pub use memory::{Memory, VolatileMemory};
pub use objects::{Objects, TooLong};

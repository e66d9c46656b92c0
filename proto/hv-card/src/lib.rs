//! The key of a hypervisor in a PIV card.
//!
//! The HV key signs rarely: tokens, and twice a day the certificate of the channel key. A card gives
//! it away to nobody. It is reached for each signature anew and left alone in between, so that the
//! programs of a host can share it.
//!
//! ```text
//! connected, exclusively ── opened ── the HV certificate's key? ── PIN ── signed ── checked ── let go
//! ```
//!
//! The certificate in the key's slot says which key is there; a card with another one gets no PIN. A
//! key that is to get its first certificate is known by what the card or the operator says
//! ([`HvCardKey::open_uncertified`]).
//! A PIN is sent as the [driver](proto::piv::driver) of all PIV cards does it: when the card shows two
//! tries or more, after its [`PinKeeper`] has agreed, and once for each signature. No signature leaves
//! that the HV certificate's key does not verify.
//!
//! | Module | Holds | Does I/O |
//! |---|---|---|
//! | `name` | [`CardKeyName`]: `pcsc:READER#9c` | no |
//! | [`opening`] | a card just powered up, to what its slot holds | no |
//! | [`signing`] | one signature of an open card, as tokens have it | no |
//! | `ecdsa` | signatures on P-256, from DER to r and s | no |
//! | `fault` | [`KeyFault`], [`HvCardError`] | no |
//! | `link` | the card in its reader, through PC/SC | yes |
//! | `key` | [`HvCardKey`], the [`HvSigner`](proto::hv::HvSigner) | yes |
//!
//! Source: NIST SP 800-73-4 Part 2 and SP 800-78-4; design §3 and §6.

pub mod opening;
pub mod signing;

mod ecdsa;
mod fault;
mod key;
mod link;
mod name;

/// The PIV card of the driver's own tests.
#[cfg(test)]
#[path = "../../tests/piv_driver/fake_card.rs"]
mod fake_card;
#[cfg(test)]
mod tests;

pub use proto::piv::driver::PinKeeper;

pub use self::fault::{HvCardError, KeyFault};
pub use self::key::{HvCardKey, HvPinKeeper, PinRefused};
pub use self::link::{CardLink, LinkError, PcscReaders, Readers};
pub use self::name::{CardKeyName, NameError};
pub use self::opening::{KeySource, Stated};

//! PIV cards: commands, data objects, keys. SP 800-73-4 and SP 800-78-4 give the bytes.
//!
//! ```text
//! SELECT                00 A4 04 00  A0 00 00 03 08 00 00 10 00      61 { 4F application, 79 .. }
//! VERIFY                00 20 00 80  PIN filled up with FF           nothing; 63Cx: x tries left
//! GET DATA              00 CB 3F FF  5C { object }                   53 { the object } or 7E { .. }
//! GENERAL AUTHENTICATE  00 87 alg key  7C { 82 {}, 81 { input } }    7C { 82 { answer } }
//! ```
//!
//! Everything long is BER-TLV. A card signs what it is given: for RSA a padded block as long as the
//! modulus, for an elliptic curve a digest. Long commands go as chains or extended
//! ([`CommandApdu::chained`](crate::apdu::CommandApdu::chained)), long answers come with `61xx`
//! ([`Exchange`](crate::card::Exchange)).
//!
//! | Module | Holds |
//! |---|---|
//! | `slot` | [`Slot`], [`RetiredSlot`]: where a key is, and when it wants the PIN |
//! | `algorithm` | [`KeyAlgorithm`] |
//! | `command` | [`PivCommand`] |
//! | `object` | [`ObjectTag`], and an object taken out of its answer |
//! | `application` | [`ApplicationProperties`], the answer to SELECT |
//! | `certificate` | [`CertificateObject`], compressed or not |
//! | `chuid`, `discovery` | [`Chuid`], [`Discovery`] |
//! | `metadata` | [`metadata_public_key`]: what some vendors' cards say of a key |
//! | `authenticate` | [`GeneralAuthenticate`], and the answer to it |
//! | `padding` | [`signature_input`]: what a card is given to sign |
//! | `pin_look` | [`PinLook`]: what a card says of its PIN before one is sent |
//! | `transfer` | [`Transfer`]: one command to its complete answer, over chains and `61xx` |
//! | `tlv` | [`TlvReader`], [`TlvWriter`] |
//! | `x509_version` | [`require_x509_v3`]: TLS takes no other certificate |
//! | `driver` | the host's side of a card, feature `piv-driver`: opened, its PIN verified, asked to sign |

#[cfg(feature = "piv-driver")]
pub mod driver;

mod algorithm;
mod application;
mod authenticate;
mod certificate;
mod chuid;
mod command;
mod discovery;
mod metadata;
mod object;
mod padding;
mod pin_look;
mod slot;
mod tlv;
mod transfer;
mod x509_version;

#[cfg(test)]
mod hostile_tests;

pub use self::algorithm::KeyAlgorithm;
pub use self::application::ApplicationProperties;
pub use self::authenticate::{GeneralAuthenticate, authenticate_answer, authenticate_response};
pub use self::certificate::{CertificateError, CertificateObject};
pub use self::chuid::Chuid;
pub use self::command::{PinReference, PivCommand, PivCommandError};
pub use self::discovery::Discovery;
pub use self::metadata::metadata_public_key;
pub use self::object::ObjectTag;
pub use self::padding::{Salt, SignatureForm, SignatureHash, signature_input};
pub use self::pin_look::PinLook;
pub use self::slot::{RetiredSlot, Slot, SlotError};
pub use self::tlv::{Tlv, TlvReader, TlvWriter};
pub use self::transfer::{Transfer, TransferError, TransferStep};
pub use self::x509_version::{OldCertificate, require_x509_v3};

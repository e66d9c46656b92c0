//! The channel key: what dom0 shows to guests, and signs checkpoints of the audit with.
//!
//! A P-256 key, made in memory at start and never written anywhere. The HV key certifies it for a
//! day at a time, so it signs rarely and may sit in a card; guests pin the HV certificate.
//!
//! ```text
//! HV key ──certifies, 24 h──> channel key ──> TLS with guests
//!                                        └──> checkpoints of the audit
//! ```
//!
//! The certificate is renewed at half its life. Connections that stand do not notice: TLS looks at
//! a certificate only while it makes a connection.
//!
//! | Module | Holds |
//! |---|---|
//! | `key` | [`ChannelKey`]: the key, its certificate, when to renew it |
//! | `certificate` | the certificate itself |
//! | `renewal` | renewing it when it is due |
//! | `hv_key` | [`HvKey`]: the HV key, wherever it is |
//! | `hv_key_file` | [`HvKeyFile`]: the HV key on disk, read when it signs |
//! | `hv_card_key` | [`HvCardPlace`]: the HV key in a card, and the account of its PIN |
//! | `checkpoint` | [`CheckpointSigner`]: what the audit needs of it |
//!
//! Source: design §3, "Channel TLS".

mod certificate;
mod checkpoint;
mod hv_card_key;
mod hv_key;
mod hv_key_file;
mod key;
mod renewal;

#[cfg(test)]
mod renewal_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use self::certificate::{CertificateError, SERVER_NAME};
pub use self::checkpoint::CheckpointSigner;
pub use self::hv_card_key::{HvCardPlace, HvPinPlace, account};
pub(crate) use self::hv_key::Presence;
pub use self::hv_key::{HvKey, HvKeyError, HvKeyPlace};
pub use self::hv_key_file::{HvKeyFile, HvKeyFileError};
pub use self::key::{ChannelKey, ChannelKeyError};
pub(crate) use self::renewal::renew_if_due;

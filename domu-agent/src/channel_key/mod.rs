//! The key with which this guest authenticates its channel to dom0.
//!
//! Ed25519 or P-256, PKCS#8 in PEM, for its owner alone. It never leaves the guest: its public part
//! goes to the administrator of the host, who names it in the guest's token.
//!
//! | Module | Holds |
//! |---|---|
//! | `key` | [`ChannelKey`]: the key, as TLS wants it |
//! | `file` | the file: read, and made once |

mod file;
mod key;

pub(crate) use self::file::{KeyFileError, create, read};
pub(crate) use self::key::{ChannelKey, KeyAlgorithm};

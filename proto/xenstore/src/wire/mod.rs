//! The bytes of xenstore's protocol.

mod decoder;
mod error_name;
mod message;
mod payload;

pub(crate) use self::decoder::Decoder;
pub use self::error_name::ErrorName;
pub(crate) use self::message::{Kind, MAX_DIRECTORY, encode};
pub(crate) use self::payload::{Part, event_token, names, terminated};

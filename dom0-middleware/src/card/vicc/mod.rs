//! Virtual cards that connect to a socket, speaking the vpcd protocol.
//!
//! A message is a 2-byte big-endian length and a body. To the card, a body of one byte is control
//! (00 power off, 01 power on, 02 reset, 04 ask for the answer to reset, which alone is answered);
//! any other body is a command APDU, answered by a response APDU.
//!
//! One listener is one SEID: while its card is connected, further connections are turned away.

mod connection;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod listener;
mod stream;
mod transport;

#[cfg(test)]
mod tests;

pub use self::listener::{ListenError, ViccListener};

//! Carries plaintext between an application and a TLS server.
//!
//! | Module | Holds |
//! |---|---|
//! | `relay` | [`StreamRelay`]: the record layer between two buffers, without sockets |
//! | `outbox` | bytes on their way out |
//! | `pump` | [`pump()`]: the two sockets around it |
//! | `error` | [`StreamError`] |
//!
//! # How a stream ends
//!
//! | What happens | What the other side sees |
//! |---|---|
//! | the application shuts down its sending direction | close_notify, then the end of the TCP stream; data of the server still arrives |
//! | the server sends close_notify | the end of data; what the application still sends goes out |
//! | the server's TCP stream ends without close_notify, a fatal alert or a bad record comes | the application's socket is closed in both directions after the data that came before, and the reason is logged |
//! | the application closes its socket | close_notify, as far as the server reads |
//! | the right to the card ends | both sockets are closed at once |
//!
//! So an application that has not shut down its own direction can tell a complete stream from one
//! that was cut: after a complete one its socket still takes data, after a cut one writing fails
//! (`EPIPE`) and `poll` reports `POLLHUP`.

mod error;
mod outbox;
mod pump;
mod relay;

pub(crate) use error::StreamError;
pub(crate) use pump::{Ends, pump};
pub(crate) use relay::StreamRelay;

//! The door for applications: a Unix socket, one JSON object per line each way.
//!
//! | Module | Holds |
//! |---|---|
//! | `destination` | `HOST:PORT` and server names |
//! | `request`, `answer`, `error` | the lines; both ends use these types |
//! | `keys_answer` | the line that holds keys |
//! | `line` | one line of at most 64 KiB off a socket |
//! | `listener` | the socket itself, its mode, one task per connection |
//! | `connection` | the requests of one application |
//! | `allow` | who in the guest may ask for what |
//! | `session` | one `connect` from request to end |
//! | `connect` | TCP connection and handshake |
//! | `delivery` | what the application gets in the end, by mode |
//! | `endings` | how connections ended, for who asks afterwards |
//! | `plan` | a `connect` that was checked |
//! | `state` | what all connections share |

mod allow;
mod answer;
mod connect;
mod connection;
mod delivery;
mod destination;
mod endings;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod keys_answer;
mod line;
mod listener;
mod plan;
mod request;
mod session;
mod state;

#[cfg(test)]
mod tests;

pub use answer::{
    Dom0Status, EstablishedAnswer, IdentityAnswer, SessionCounts, StatusAnswer, Verdict,
};
pub use endings::{EndedAnswer, Ending};
pub use error::AppError;
pub use request::{ConnectRequest, Mode, Via};

pub(crate) use allow::{AllowList, AllowTable, UnknownAccount};
pub(crate) use answer::Answer;
pub(crate) use destination::{Destination, ServerName};
pub(crate) use error::Chain;
pub(crate) use keys_answer::KeysAnswer;
#[cfg(test)]
pub(crate) use line::MAX_LINE;
pub(crate) use listener::{ListenError, Listener};
pub(crate) use request::Request;
pub(crate) use state::AppState;

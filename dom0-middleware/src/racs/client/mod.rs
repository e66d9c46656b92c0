//! The end of RACS that asks a grid of secure elements.
//!
//! ```text
//! Grid ── Session ── Conversation      lines out, answers in: no socket, no clock
//!            └────── Wire              one TLS connection with deadlines
//! ```
//!
//! Published servers read a line that is cut in two TLS records wrongly, want POWERON before anything
//! else, have room for nine tokens in a line and for 13 full answers in a response, and end a session
//! after 600 s. [`ServerRules`] holds what differs between servers; the rest is obeyed with all of them.
//!
//! | Module | Holds |
//! |---|---|
//! | `address` | [`GridAddress`]: host and port |
//! | `files`, `verifier` | [`GridFiles`]: who we are in TLS, and which server is believed |
//! | `rules` | [`ServerRules`] |
//! | `batch` | APDUs cut into requests that servers have room for |
//! | `conversation` | what goes out, and what an answer means |
//! | `wire` | bytes over TLS, each call with a deadline |
//! | `session` | [`Grid`], [`Session`]: commands and their answers |
//! | `script` | [`parse_script`]: APDUs in a file |
//! | `error` | [`GridError`]: what went wrong with which grid, and what to do |
//!
//! Source: specs/racs.md §2, §9, §14, §15.

mod address;
mod batch;
mod conversation;
mod error;
mod files;
mod rules;
mod script;
mod session;
#[cfg(test)]
pub(crate) mod testing;
mod verifier;
mod wire;

pub use self::address::{DEFAULT_PORT, GridAddress, GridAddressError};
pub use self::conversation::ConversationFault;
pub use self::error::{GridError, GridProblem};
pub use self::files::{GridFiles, GridFilesError, ServerTrust};
pub use self::rules::ServerRules;
pub use self::script::{ScriptError, ScriptLine, ScriptProblem, parse_apdu, parse_script};
pub use self::session::{Grid, Played, Scripted, Session, Stop};

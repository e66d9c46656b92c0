//! Whether an audit is as it was written, found out without the service.
//!
//! | Module | Holds |
//! |---|---|
//! | `lines` | lines of a file, bounded, as they stand there |
//! | `record` | what a line says that matters here |
//! | `keys` | the keys of checkpoints, and what they are worth |
//! | `verifier` | `Verifier`: one line after the other |
//! | `files` | [`verify`]: all files of an audit |
//! | `report` | [`Report`], [`Fault`]: what came of it |

mod files;
mod keys;
mod lines;
mod record;
mod report;
mod verifier;

#[cfg(test)]
mod tests;

pub(crate) use self::files::{VerifyError, verify};
pub(crate) use self::keys::Anchors;
pub(super) use self::lines::{Line, Lines, MAX_LINE};
pub use self::report::{Checkpoints, Fault, Report};
pub(crate) use self::verifier::Expected;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::verifier::Verifier;

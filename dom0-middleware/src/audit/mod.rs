//! The audit: what happened, in an order that cannot be changed unnoticed.
//!
//! One JSON object per line. `prev` is the SHA-256 of the line before it, without its line feed,
//! so an edit, a reordering or a hole anywhere but at the end breaks the chain:
//!
//! ```text
//! {"seq":0,"time":"2026-11-21T04:07:09.123Z","prev":"0000…","event":"service-started",…}
//! {"seq":1,"time":"2026-11-21T04:07:11.480Z","prev":"9f2c…","event":"session-established",…}
//! ```
//!
//! A session's record is written before its key leaves; when that fails, the key does not leave.
//! Records hold names, times and hashes, never a key, a PIN or an APDU.
//!
//! Whoever can write the file can compute hashes, so lines in between are signed: a *checkpoint* at
//! start and stop, every 1,000 records, every hour, and at the end of each file.
//!
//! | Module | Holds |
//! |---|---|
//! | `event`, `records`, `racs` | [`AuditEvent`]: everything that is recorded |
//! | `chain` | the line of a record, bound to the one before |
//! | `checkpoint` | lines that are signed, and what signs |
//! | `log` | [`AuditLog`]: what is written when |
//! | `file`, `rotation` | the file, all or nothing; old files |
//! | `tail` | where an existing file ends |
//! | `follow` | the last lines, and those that come |
//! | `verify` | whether all is as it was written |

mod chain;
mod checkpoint;
mod event;
mod file;
mod follow;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod log;
mod racs;
mod records;
mod rotation;
mod tail;
mod verify;

pub use self::chain::{AuditHead, Chain, Link};
pub use self::event::{AuditEvent, BoundTo};
pub(crate) use self::follow::{Follower, last_lines};
pub use self::log::{AuditError, AuditLog, Storage, Syncer, WrittenCheckpoint};
pub use self::racs::{RacsClosed, RacsConnected, RacsRefused, RacsRefusedFor};
pub use self::records::{
    Admitted, ChannelClosed, ChannelEnd, CheckpointProof, CheckpointReason, Closed, ClosedBy,
    Established, IssuedBecause, Killed, LeaseEnd, PinOutcome, Refusals, SessionFacts, TokenRecord,
};
pub use self::rotation::Rotation;
pub(crate) use self::rotation::old_files;
pub(crate) use self::verify::{Anchors, Expected, VerifyError, verify};
pub use self::verify::{Checkpoints, Fault, Report};

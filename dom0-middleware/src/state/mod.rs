//! What must survive the process: bindings, revocations, cards, PIN attempts, token sightings.
//!
//! One SQLite file, in WAL mode with `synchronous=FULL`: when a change has returned, it is on disk.
//! Each change of a right has a number, one more than the change before, which is also in its audit
//! record, and is made in this order:
//!
//! ```text
//! begin ── edit ── audit record, synced ── commit ── broker ── answer
//! ```
//!
//! So whatever was answered is in both, and what a crash leaves undone is in the audit at least:
//! at the next start [`State::catch_up`] takes revocations and unbindings from there, and says which other
//! changes the state does not have. The same happens when an older state is restored.
//!
//! | Module | Holds |
//! |---|---|
//! | `open`, `schema` | the file, its tables and their versions |
//! | `change` | [`State::change`]; how far the audit is on disk |
//! | `bindings`, `revocations`, `cards`, `maintenance` | rights: each change of them has a number |
//! | `pins`, `sightings` | what was tried and what was seen: durable, but no change |
//! | `import` | files of earlier versions |
//! | `backup` | a copy while the service runs |
//! | `recovery`, `audit_changes` | what the audit knows and the state does not |

mod audit_changes;
mod backup;
mod bindings;
mod cards;
mod change;
mod error;
mod import;
mod maintenance;
mod open;
mod pins;
mod recovery;
mod revocations;
mod schema;
mod sightings;
mod value;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod testing;

pub use self::audit_changes::{AuditChanges, AuditReadError};
pub use self::backup::{BackupError, back_up};
pub use self::bindings::StoredBinding;
pub use self::change::{Edit, audit_head_of};
pub use self::error::{ChangeError, StateError};
pub use self::import::Former;
pub use self::open::State;
pub use self::pins::DurablePinLedger;
pub use self::recovery::{AuditBehind, CatchUp, Missing};
pub use self::revocations::Revocation;
pub use self::sightings::Sighting;

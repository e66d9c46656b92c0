//! Where a card's PIN is, and when it may be tried: one attempt for each PIN the operator gave.
//!
//! | Module | Holds |
//! |---|---|
//! | `source` | the PIN file |
//! | `ledger` | the record of attempts, as the worker sees it |
//! | `memory` | a record that lives as long as the process |
//! | `file` | a record that survives it |

mod file;
mod ledger;
mod memory;
mod source;

pub use self::file::FilePinLedger;
pub use self::ledger::{PinLedger, PinLedgerError};
pub use self::memory::MemoryPinLedger;
pub(crate) use self::source::exposed_mode;
pub use self::source::{OfferedPin, PinSource, PinSourceError, PinStamp};

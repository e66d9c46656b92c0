//! Where a card's PIN is, and when it may be tried: one attempt for each PIN the operator gave.
//!
//! | Module | Holds |
//! |---|---|
//! | `source` | the PIN file |
//! | `stamp` | by what it is seen that the file was written anew |
//! | `ledger` | the record of attempts, as the worker sees it |
//! | `memory` | a record that lives as long as the process |
//!
//! The record that survives the process is [`DurablePinLedger`](crate::state::DurablePinLedger).

mod ledger;
mod memory;
mod source;
mod stamp;

pub use self::ledger::{PinLedger, PinLedgerError, Unaccepted};
pub use self::memory::MemoryPinLedger;
pub(crate) use self::source::{CREDENTIALS, credentials, exposed_mode};
pub use self::source::{OfferedPin, PinSource, PinSourceError};
pub use self::stamp::PinStamp;

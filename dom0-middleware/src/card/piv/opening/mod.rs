//! Opening a card: select, a look at what it holds, PIN.
//!
//! ```text
//! begin -> Selected -> Discovery -> Chuid -> Certificate (24 times) -> PinStatus -> [NeedPin
//!       -> PinVerified] -> Opened
//! ```
//!
//! All that tells one card from another is read before the PIN is asked for. A wrong PIN costs a
//! try: VERIFY goes out at most once, only when the card shows two tries or more, and only after the
//! worker's ledger has recorded the attempt ([`Step::NeedPin`]). A card whose keys all do without
//! PIN is asked for nothing.

mod inventory;
mod machine;

pub use self::machine::{AwaitCard, AwaitPin, Opened, Step, Verified, begin};

//! Opening a card: select, PIN, and a look at what it holds and can do.
//!
//! ```text
//! begin -> Selected -> PinState -> [NeedPin -> PinVerified] -> listing -> Opened
//!                                                    ^            |
//!                                                    +-(63xx)-----+
//! ```
//!
//! A wrong PIN costs a try, and no command tells how many are left without one that may cost one.
//! So VERIFY goes out at most once in an opening, only when the card shows two tries or more, and
//! only after the worker's ledger has recorded the attempt ([`Step::NeedPin`]).

mod inventory;
mod machine;
mod pin_state;
mod probes;

#[cfg(test)]
mod tests;

pub use self::machine::{AwaitCard, AwaitPin, Opened, Step, Verified, begin};

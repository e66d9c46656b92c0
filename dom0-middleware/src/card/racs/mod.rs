//! Cards that are plugged into another host's grid, through RACS.
//!
//! The same drivers speak to such a card as to one in a reader; what goes over the network is whole
//! APDUs. That host sees every PIN and every KeyBlock.
//!
//! | Module | Holds |
//! |---|---|
//! | `source` | [`RacsSource`]: connects, and says why that does not work |
//! | `transport` | one card, powered and held for us |
//! | `trouble` | why there is none, known as soon as it is lost |
//! | `fetching` | whether the grid fetches the rest of a long answer |
//! | `atr` | what stands for the answer to reset, which RACS does not have |
//!
//! Source: specs/racs.md §5, §8, §15.

mod atr;
mod fetching;
mod source;
#[cfg(test)]
mod tests;
mod transport;
mod trouble;

pub use self::source::RacsSource;

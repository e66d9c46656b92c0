//! Recorded conversations with cards, a card that says exactly what was recorded, and the driver
//! against it.

mod replay;
mod rig;
mod trace;
mod vectors;

pub(crate) use self::replay::Replay;
pub(crate) use self::rig::{Export, Judge, Outcome, Rig};
pub(crate) use self::trace::{Trace, files};
pub(crate) use self::vectors::recorded_key_block;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

//! What a PIV card keeps without power.

use std::io;

use proto::piv::{ObjectTag, Slot};

use super::key::SlotKey;
use crate::eeprom::{Eeprom, VolatileEeprom};
use crate::pin::PinState;

/// Permanent memory of a PIV card: PINs as every card's, keys and data objects besides.
pub trait Memory: Eeprom {
    /// Writes the key of a slot, in place of the one there was.
    ///
    /// # Errors
    /// The memory could not be written; it holds the former key or the new one.
    fn write_key(&mut self, slot: Slot, key: &SlotKey) -> io::Result<()>;

    /// Writes what a data object holds; `None` takes it away.
    ///
    /// # Errors
    /// The memory could not be written; it holds the former object or the new one.
    fn write_object(&mut self, tag: ObjectTag, content: Option<&[u8]>) -> io::Result<()>;
}

/// Memory that forgets at the end of the process: for tests and embedding.
#[derive(Debug, Default)]
pub struct VolatileMemory(VolatileEeprom);

impl Eeprom for VolatileMemory {
    fn write_pins(&mut self, pins: &PinState) -> io::Result<()> {
        self.0.write_pins(pins)
    }
}

impl Memory for VolatileMemory {
    fn write_key(&mut self, _: Slot, _: &SlotKey) -> io::Result<()> {
        Ok(())
    }

    fn write_object(&mut self, _: ObjectTag, _: Option<&[u8]>) -> io::Result<()> {
        Ok(())
    }
}

//! The part of a card's memory that commands write.

use std::fmt::Debug;
use std::io;

use crate::pin::PinState;

/// Permanent memory: what is written survives power-off and restart.
pub trait Eeprom: Debug + Send {
    /// Writes both PINs and their counters, all or nothing.
    ///
    /// # Errors
    /// The memory could not be written; it may hold the former or the new state.
    fn write_pins(&mut self, pins: &PinState) -> io::Result<()>;
}

/// Memory that forgets at the end of the process: for tests and embedding.
#[derive(Debug, Default)]
pub struct VolatileEeprom;

impl Eeprom for VolatileEeprom {
    fn write_pins(&mut self, _: &PinState) -> io::Result<()> {
        Ok(())
    }
}

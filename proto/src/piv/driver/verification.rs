//! The PIN of an open card, for the keys that want it once.
//!
//! ```text
//! PinStatus -> [NeedPin -> PinAccepted] -> Done
//! ```

use super::fault::PivFault;
use super::frame::{Answer, Frame, Next, PinTerms, Step, Task};
use crate::piv::PinReference;

/// Begins to verify the PIN, which is not sent where the card has it verified.
///
/// # Errors
/// None in practice: a first command is always allowed.
pub fn begin(reference: PinReference) -> Result<Step<Verification>, PivFault> {
    let anew = false;
    let look = Next::Pin(PinTerms { reference, anew });
    Frame::begin(Verification(()), false, look)
}

/// A PIN that is verified.
pub struct Verification(());

impl Task for Verification {
    type Output = ();
    const MAX_COMMANDS: u32 = 64;

    fn on_answer(&mut self, _: &Answer) -> Result<Next<()>, PivFault> {
        Ok(Next::Done(()))
    }
}

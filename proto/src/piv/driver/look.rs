//! How the PIN of an open card stands, which costs no try. No PIN is sent.
//!
//! ```text
//! PinStatus -> Done
//! ```

use super::fault::{PivFault, PivStep};
use super::frame::{Answer, Frame, Next, Step, Task};
use crate::piv::{PinLook, PinReference, PivCommand};

/// Begins a look at a card that has shown itself to be a PIV card: to others VERIFY without a PIN may
/// be a wrong one.
///
/// # Errors
/// None in practice: a first command is always allowed.
pub fn begin(reference: PinReference) -> Result<Step<Looking>, PivFault> {
    let look = PivCommand::PinStatus(reference);
    let first = Next::Command(PivStep::PinStatus, look);
    Frame::begin(Looking(()), false, first)
}

/// A look.
pub struct Looking(());

impl Task for Looking {
    type Output = PinLook;
    const MAX_COMMANDS: u32 = 64;

    fn on_answer(&mut self, answer: &Answer) -> Result<Next<PinLook>, PivFault> {
        Ok(Next::Done(PinLook::of(answer.sw())))
    }
}

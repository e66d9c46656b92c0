//! A PIV card that answers anything, and who has its PIN.

use std::marker::PhantomData;

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::card::Pin;
use proto::piv::driver::PinKeeper;

use crate::pieces::{Piece, pieces};

/// A card whose answers are the pieces of an input, and which is gone after them.
pub struct Answers<'a> {
    left: Box<dyn Iterator<Item = Piece<'a>> + 'a>,
    /// How many PINs it was sent.
    pub pins: usize,
}

impl<'a> Answers<'a> {
    /// With the answers in `input`.
    pub fn new(input: &'a [u8]) -> Self {
        let left = Box::new(pieces(input));
        Self { left, pins: 0 }
    }

    /// The next answer; `None` from a card that is gone.
    pub fn transmit(&mut self, command: &CommandApdu) -> Option<ResponseApdu> {
        self.pins += usize::from(command.ins == 0x20 && !command.data().is_empty());
        ResponseApdu::decode(self.left.next()?.bytes).ok()
    }
}

/// Gives the PIN whenever it is asked.
pub struct Keeper<E>(PhantomData<fn() -> E>);

impl<E> Default for Keeper<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E> PinKeeper for Keeper<E> {
    type Error = E;

    fn pin_to_send(&self) -> Result<Pin, E> {
        Ok(Pin::new(b"123456").expect("digits"))
    }

    fn accepted(&self) -> Result<(), E> {
        Ok(())
    }
}

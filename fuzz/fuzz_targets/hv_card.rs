//! A card with the HV key is opened, and signs, that answers anything.
#![no_main]

use hv_card::opening::{self, Wanted};
use hv_card::signing;
use libfuzzer_sys::fuzz_target;
use proto::apdu::{CommandApdu, ResponseApdu};
use proto::card::Pin;
use proto::piv::Slot;
use tessera_fuzz::pieces::{Piece, pieces};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    let slot = Slot::all()
        .nth(usize::from(choice) % 24)
        .expect("24 of them");
    let mut card = Card {
        answers: pieces(input),
        pins: 0,
    };
    // Twice the slots: their keys have a certificate, or need none.
    let is_certified = usize::from(choice) / 24 % 2 == 0;
    let Some(opened) = open(&mut card, slot, is_certified) else {
        return;
    };
    assert_eq!(card.pins, 0, "no PIN for an opening");
    let signed = sign(&mut card, &opened);
    assert!(signed.is_none(), "nobody here has a key");
    assert!(card.pins <= usize::from(slot.needs_pin()));
});

struct Card<I> {
    answers: I,
    pins: usize,
}

impl<'a, I: Iterator<Item = Piece<'a>>> Card<I> {
    fn transmit(&mut self, command: &CommandApdu) -> Option<ResponseApdu> {
        self.pins += usize::from(command.ins == 0x20 && !command.data().is_empty());
        ResponseApdu::decode(self.answers.next()?.bytes).ok()
    }
}

fn open<'a, I: Iterator<Item = Piece<'a>>>(
    card: &mut Card<I>,
    slot: Slot,
    is_certified: bool,
) -> Option<opening::Opened> {
    let wanted = match is_certified {
        true => Wanted::Certified,
        false => Wanted::Any(None),
    };
    let mut step = opening::begin(slot, wanted);
    loop {
        step = match step {
            opening::Step::Transmit(opening, command) => {
                opening.on_response(card.transmit(&command)?).ok()?
            }
            opening::Step::Opened(opened) => return Some(opened),
        };
    }
}

fn sign<'a, I: Iterator<Item = Piece<'a>>>(
    card: &mut Card<I>,
    opened: &opening::Opened,
) -> Option<Vec<u8>> {
    let pin = Pin::new(b"123456").expect("digits");
    let algorithm = *opened.key.algorithms().first()?;
    let mut step = signing::begin(opened, algorithm, b"what is signed", &[7; 64]).ok()?;
    loop {
        step = match step {
            signing::Step::Transmit(signing, command) => {
                signing.on_response(card.transmit(&command)?).ok()?
            }
            signing::Step::NeedPin(signing) => signing.with_pin(&pin),
            signing::Step::PinAccepted(signing) => signing.proceed(),
            signing::Step::Signed(signature) => return Some(signature),
        };
    }
}

//! A PIV card is opened, and signs, that answers anything.
#![no_main]

use dom0_middleware::card::PivProfile;
use dom0_middleware::card::piv::{PivKey, PivParameters, SignRequest, opening, signing};
use libfuzzer_sys::fuzz_target;
use proto::apdu::{CommandApdu, ResponseApdu};
use proto::card::Pin;
use tessera_fuzz::pieces::{Piece, pieces};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    let profile = PivProfile {
        extended_length: choice & 1 != 0,
        ..PivProfile::builtin()
    };
    let parameters = PivParameters::new(profile);
    let mut card = Card {
        answers: pieces(input),
        pins: 0,
    };
    let Some(opened) = open(&mut card, parameters.clone()) else {
        return;
    };
    assert!(card.pins <= 1, "the PIN is sent once");
    assert!(opened.keys.len() <= 24);
    let Some(key) = opened.keys.first() else {
        return;
    };
    card.pins = 0;
    let signed = sign(&mut card, key, &opened, parameters);
    assert!(signed.is_none(), "nobody here has a key");
    assert!(card.pins <= usize::from(key.slot().needs_pin()));
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
    parameters: PivParameters,
) -> Option<opening::Opened> {
    let mut step = opening::begin(parameters).ok()?;
    loop {
        step = match step {
            opening::Step::Transmit(opening, command) => {
                opening.on_response(card.transmit(&command)?).ok()?
            }
            opening::Step::NeedPin(opening) => opening.with_pin(&pin()).ok()?,
            opening::Step::PinAccepted(opening) => opening.proceed().ok()?,
            opening::Step::Opened(opened) => return Some(opened),
        };
    }
}

fn sign<'a, I: Iterator<Item = Piece<'a>>>(
    card: &mut Card<I>,
    key: &PivKey,
    opened: &opening::Opened,
    parameters: PivParameters,
) -> Option<Vec<u8>> {
    let request = SignRequest {
        key: key.clone(),
        pin: opened.pin,
        scheme: *key.schemes().first()?,
        message: b"what is signed".to_vec(),
        salt: [7; 64],
    };
    let mut step = signing::begin(request, parameters);
    loop {
        step = match step {
            Ok(signing::Step::Transmit(signing, command)) => {
                signing.on_response(card.transmit(&command)?)
            }
            Ok(signing::Step::NeedPin(signing)) => signing.with_pin(&pin()),
            Ok(signing::Step::PinAccepted(signing)) => signing.proceed(),
            Ok(signing::Step::Signed(signature)) => return Some(signature),
            Err(_) => return None,
        };
    }
}

fn pin() -> Pin {
    Pin::new(b"123456").expect("digits")
}

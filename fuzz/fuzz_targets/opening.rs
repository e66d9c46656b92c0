//! A card is opened that answers anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::apdu::{CommandApdu, ResponseApdu};
use tessera_fuzz::driver::{self, World};
use tessera_fuzz::pieces::{Piece, pieces};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    let mut parameters = driver::parameters(1);
    parameters.steps.probe_pin = choice & 1 == 0;
    parameters.profile.read_certificates = choice & 2 == 0;
    parameters.profile.fetch_fallback = choice & 4 == 0;
    let mut answers = Answers(pieces(input));
    if let Some(Ok(opened)) = driver::open(&mut answers, parameters) {
        assert!(opened.identities.len() <= 32);
        assert!(
            opened
                .identities
                .is_sorted_by(|one, other| one.name < other.name)
        );
    }
});

struct Answers<I>(I);

impl<'a, I: Iterator<Item = Piece<'a>>> World for Answers<I> {
    fn card(&mut self, _: &CommandApdu) -> Option<ResponseApdu> {
        ResponseApdu::decode(self.0.next()?.bytes).ok()
    }

    fn to_server(&mut self, _: &[u8]) {}

    fn from_server(&mut self) -> Option<Vec<u8>> {
        None
    }
}

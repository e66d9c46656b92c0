//! Responses of a card, and long answers that come in several of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::apdu::{Atr, CommandApdu, Protocol, ResponseApdu};
use proto::card::{
    CipherSuiteAnswer, EapCardCommand, Exchange, ExchangeStep, FetchRules, NextHandshake,
};
use tessera_fuzz::pieces::pieces;

const RULES: FetchRules = FetchRules {
    cla: 0xA0,
    fetch_ins: 0x12,
    fallback_get_response: true,
    max_answer: 2_000,
    max_steps: 64,
};

fuzz_target!(|input: &[u8]| {
    if let Ok(command) = CommandApdu::decode(input) {
        assert_eq!(
            CommandApdu::decode(&command.encode()).as_ref(),
            Ok(&command)
        );
        let _ = command.encode_for(Protocol::T0);
        if let Ok(typed) = EapCardCommand::try_from(&command) {
            typed.to_apdu(command.cla).expect("it came out of an APDU");
        }
    }
    if let Ok(atr) = Atr::decode(input) {
        assert_eq!(atr.as_bytes(), input);
        let _ = Protocol::first_offered(&atr);
    }
    let _ = CipherSuiteAnswer::decode(input);
    if let Ok(wish) = NextHandshake::decode(input) {
        let again = wish.encode().expect("it was encoded before");
        assert_eq!(NextHandshake::decode(&again).expect("just encoded"), wish);
    }
    exchange(input);
});

fn exchange(input: &[u8]) {
    let command = CommandApdu::new(0xA0, 0x80, 0, 0).with_le(256);
    let (mut exchange, _) = Exchange::start(command, &RULES);
    let mut gathered = 0;
    for piece in pieces(input) {
        let Ok(response) = ResponseApdu::decode(piece.bytes) else {
            continue;
        };
        assert_eq!(response.encode().as_slice(), piece.bytes);
        gathered += response.data().len();
        match exchange.on_response(response) {
            Ok(ExchangeStep::Transmit(next, command)) => {
                assert!(CommandApdu::decode(&command.encode()).is_ok());
                exchange = next;
            }
            Ok(ExchangeStep::Complete(answer)) => {
                assert!(answer.data().len() <= gathered.min(RULES.max_answer));
                return;
            }
            Err(_) => return,
        }
    }
}

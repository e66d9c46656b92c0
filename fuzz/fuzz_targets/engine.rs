//! Handshakes of the engine for cards that only sign.
#![no_main]

use std::cell::RefCell;

use dom0_middleware::engine::{EngineStep, Engines};
use libfuzzer_sys::fuzz_target;
use proto::tls::{Opened, Record, RecordLayer};
use tessera_fuzz::meddler::{Meddler, Way};
use tessera_fuzz::partners::Pki;
use tessera_fuzz::pieces::pieces;
use tessera_fuzz::signing::{MAX_BYTES, Signer, handshake, request};

// A choice: with a server that says what follows, piece by piece; or two handshakes with a real
// one, of either version, with changes in between.
fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    match choice & 2 {
        0 => scripted(input),
        _ => live(choice & 1 != 0, input),
    }
});

fn scripted(input: &[u8]) {
    let (mut engine, _) = Engines::new().begin(request()).expect("a ClientHello");
    let mut sent = 0;
    for piece in pieces(input) {
        match engine.on_records(piece.bytes, Signer::new()) {
            EngineStep::AwaitServer { engine: next, .. } => engine = next,
            EngineStep::Established { .. } => unreachable!("nobody knows this ClientHello"),
            EngineStep::Failed { .. } => return,
        }
        sent += piece.bytes.len();
        assert!(sent <= MAX_BYTES);
    }
}

fn live(tls13: bool, input: &[u8]) {
    let engines = Engines::new();
    let meddler = RefCell::new(Meddler::new(input));
    let untouched = meddler.borrow().is_idle();
    for round in 0..2 {
        let mut server = Pki::get().connect(tls13);
        let ended = handshake(
            &engines,
            &mut server,
            |said| meddler.borrow_mut().pass(Way::ToServer, &said),
            |said| meddler.borrow_mut().pass(Way::FromServer, &said),
        );
        let Some(mut ended) = ended else {
            assert!(!untouched);
            continue;
        };
        assert_eq!(ended.session.peer_certificates, [Pki::get().server_der()]);
        assert!(!untouched || ended.session.abbreviated == (round == 1));
        let mut layer = RecordLayer::new(ended.session.keys).expect("keys that fit together");
        for record in Record::decode_all(&ended.behind).unwrap_or_default() {
            let mut bytes = record.into_bytes();
            match (layer.open(&mut bytes), &mut ended.tickets) {
                (Ok(Opened::NewSessionTickets(messages)), Some(taker)) => {
                    for message in messages {
                        let message = meddler.borrow_mut().pass(Way::FromCard, &message);
                        let taken = taker.take(&message);
                        assert!(!untouched || taken.is_ok());
                    }
                }
                (Err(_), _) => assert!(!untouched),
                _ => {}
            }
        }
    }
}

//! A server that says anything.

use proto::tls::{ContentType, FlightError, FlightItem, ProtocolVersion, Record};

use super::bench::{Key, Link, Server, SoftCard, VERSIONS, request};
use crate::card::{HandshakeFault, SessionError};
use crate::engine::{Engine, EngineStep, Engines};

/// A handshake up to the server's first flight.
fn first_flight(version: ProtocolVersion) -> (Engine, Link, Vec<u8>) {
    let (engine, hello) = Engines::new()
        .begin(request(Key::P256))
        .expect("a ClientHello");
    let mut link = Server::new(version).connect();
    link.receive(&hello).expect("a good ClientHello");
    let flight = link.flush();
    (engine, link, flight)
}

#[test]
fn a_prefix_is_waited_for_or_refused() {
    let card = SoftCard::new(Key::P256);
    for version in VERSIONS {
        let length = first_flight(version).2.len();
        for cut in (0..length).step_by(11) {
            let (engine, _, flight) = first_flight(version);
            let cut = cut.min(flight.len() - 1);
            match engine.on_records(&flight[..cut], card.door()) {
                EngineStep::AwaitServer { .. } => {}
                EngineStep::Established { .. } => panic!("{version}: established of a prefix"),
                EngineStep::Failed { error, .. } => assert!(matches!(
                    error,
                    SessionError::HandshakeFailed(HandshakeFault::ServerRecords(_))
                )),
            }
        }
    }
}

#[test]
fn flipped_bits_are_refused_now_or_by_the_finished() {
    let card = SoftCard::new(Key::P256);
    for version in VERSIONS {
        let length = first_flight(version).2.len();
        for place in (0..length).step_by(5) {
            let (engine, mut link, mut flight) = first_flight(version);
            let place = place.min(flight.len() - 1);
            flight[place] ^= 1 << (place % 8);
            match engine.on_records(&flight, card.door()) {
                EngineStep::AwaitServer { engine, out } => {
                    // In TLS 1.2 what no signature covers, the Finished messages do.
                    let refused = link.receive(&out).is_err();
                    let answer = link.flush();
                    let step = engine.on_records(&answer, card.door());
                    let established = matches!(step, EngineStep::Established { .. });
                    assert!(!established || !refused, "{version}, byte {place}");
                }
                EngineStep::Established { out, .. } => {
                    // Only what says nothing can have been changed: the server agrees.
                    link.receive(&out)
                        .expect("the same handshake on both sides");
                }
                EngineStep::Failed { .. } => {}
            }
        }
    }
}

#[test]
fn anything_that_is_no_tls_is_refused() {
    let card = SoftCard::new(Key::P256);
    for bytes in [
        &b"HTTP/1.0 400 Bad Request\r\n\r\n"[..],
        &[22, 3, 3, 0xFF, 0xFF],
        &[22, 3, 3, 0, 5, 2],
        &[23, 3, 3, 0, 1, 0],
        &[20, 3, 3, 0, 1, 1, 20, 3, 3, 0, 1, 2],
        &[0; 64],
    ] {
        let (engine, hello) = Engines::new()
            .begin(request(Key::P256))
            .expect("a ClientHello");
        assert!(!hello.is_empty());
        assert!(matches!(
            engine.on_records(bytes, card.door()),
            EngineStep::Failed { .. }
        ));
    }
}

#[test]
fn a_record_without_content_is_named_and_the_server_is_told() {
    let card = SoftCard::new(Key::P256);
    for version in VERSIONS {
        for (behind, expected) in [
            (0, "ServerHello"),
            (1, "the rest of the server's handshake"),
        ] {
            for empty in [ContentType::Handshake, ContentType::ChangeCipherSpec] {
                let (engine, _, flight) = first_flight(version);
                let records = Record::decode_all(&flight).expect("whole records");
                let mut bytes = Vec::new();
                for record in &records[..behind] {
                    bytes.extend_from_slice(record.bytes());
                }
                bytes.extend_from_slice(&[empty.into(), 3, 3, 0, 0]);
                let step = engine.on_records(&bytes, card.door());
                let EngineStep::Failed { error, alert } = step else {
                    panic!("{version}: {step:?}");
                };
                let got = FlightItem::EmptyRecord(empty);
                let grammar = FlightError::Grammar { expected, got };
                assert_eq!(error, HandshakeFault::ServerFlight(grammar).into());
                assert!(alert.is_some(), "{version}");
            }
        }
    }
}

#[test]
fn a_server_that_never_comes_to_an_end_is_stopped() {
    let card = SoftCard::new(Key::P256);
    let mut wish = request(Key::P256);
    wish.max_bytes = 64 << 10;
    // One message of 64 KiB, a byte in each record.
    let (mut engine, _) = Engines::new().begin(wish).expect("a ClientHello");
    let mut sent = 0;
    let mut header = [2, 0, 0xFF, 0xF0].into_iter();
    loop {
        let byte = header.next().unwrap_or(0);
        let step = engine.on_records(&[22, 3, 3, 0, 1, byte], card.door());
        sent += 6;
        engine = match step {
            EngineStep::AwaitServer { engine, .. } => engine,
            EngineStep::Failed { error, .. } => {
                assert_eq!(error, SessionError::TooManyBytes { max: 64 << 10 });
                break;
            }
            EngineStep::Established { .. } => panic!("established of nothing"),
        };
        assert!(sent <= 64 << 10);
    }
}

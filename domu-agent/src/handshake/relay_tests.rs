use proptest::prelude::*;
use proto::agent::{EstablishedFlags, RefusalCode};
use proto::id::SessionId;
use proto::tls::{Alert, AlertDescription, ContentType};

use super::*;
use crate::testing::{
    FINISHED_NONCE, NEXT_NONCE, Protection, last_flight, record, server_hello, server_hello_message,
};

const LIMIT: u64 = MAX_HANDSHAKE as u64;

fn established(protection: Protection, consumed: usize) -> SessionMessage {
    SessionMessage::Established(Box::new(EstablishedMessage {
        session: SessionId(1),
        keys: protection.client(),
        flags: EstablishedFlags::default(),
        consumed: consumed as u64,
        alpn: None,
        peer_certificates: Vec::new(),
        card_ms: 0,
        wait_ms: 0,
    }))
}

/// A relay over which the card has sent its last flight.
fn after_client_finished() -> HandshakeRelay {
    let mut relay = HandshakeRelay::new(LIMIT);
    let flight = last_flight(FINISHED_NONCE);
    let sent = relay.on_dom0(SessionMessage::ClientRecords(flight.clone()));
    assert!(matches!(sent, Ok(Step::SendToServer(bytes)) if bytes == flight));
    relay
}

fn surplus(step: Result<Step, HandshakeError>) -> Vec<u8> {
    match step {
        Ok(Step::Established(handover)) => handover.surplus,
        Ok(_) => panic!("another step"),
        Err(error) => panic!("{error}"),
    }
}

fn handshake_record(length: usize) -> Vec<u8> {
    record(ContentType::Handshake, &vec![0; length])
}

#[test]
fn records_are_passed_on_when_they_are_whole() {
    let mut relay = HandshakeRelay::new(LIMIT);
    let hello = server_hello(Protection::Tls12Gcm);
    let (last, begin) = hello.split_last().expect("not empty");
    for byte in begin {
        assert_eq!(relay.on_server_bytes(&[*byte]), Ok(Vec::new()));
    }
    assert_eq!(relay.on_server_bytes(&[*last]), Ok(hello));
}

#[test]
fn once_the_client_has_answered_nothing_is_read_beyond_the_record() {
    let mut relay = HandshakeRelay::new(LIMIT);
    assert!(relay.wanted_server_bytes() > MAX_HANDSHAKE);
    let sent = relay.on_dom0(SessionMessage::ClientRecords(handshake_record(100)));
    assert!(matches!(sent, Ok(Step::SendToServer(_))));
    let hello = server_hello(Protection::Tls12Gcm);
    relay.on_server_bytes(&hello).expect("good record");
    assert!(relay.wanted_server_bytes() > MAX_HANDSHAKE);
    let flight = SessionMessage::ClientRecords(last_flight(FINISHED_NONCE));
    assert!(relay.on_dom0(flight).is_ok());
    assert_eq!(relay.wanted_server_bytes(), RECORD_HEADER_LEN);
    relay.on_server_bytes(&[20, 3, 3, 0, 1]).expect("a header");
    assert_eq!(relay.wanted_server_bytes(), 1);
}

#[test]
fn after_the_last_flight_of_tls12_nothing_goes_to_dom0() {
    let mut relay = after_client_finished();
    let flight = [server_hello(Protection::Tls12Gcm), last_flight([1; 8])].concat();
    let data = record(ContentType::ApplicationData, b"early");
    let bytes = [flight.as_slice(), &data, &data[..3]].concat();

    let records = relay.on_server_bytes(&bytes).expect("good records");
    assert_eq!(records, flight);
    assert!(!relay.wants_server_bytes());

    let step = relay.on_dom0(established(Protection::Tls12Gcm, flight.len()));
    assert_eq!(surplus(step), bytes[flight.len()..]);
}

#[test]
fn in_tls13_what_dom0_did_not_use_comes_back() {
    let mut relay = after_client_finished();
    let hello = server_hello(Protection::Tls13);
    let compatibility = record(ContentType::ChangeCipherSpec, &[1]);
    let encrypted = record(ContentType::ApplicationData, &[5; 300]);
    let handshake = [hello, compatibility, encrypted.clone()].concat();
    let bytes = [handshake.as_slice(), &encrypted, &encrypted[..99]].concat();

    let records = relay.on_server_bytes(&bytes).expect("good records");
    assert_eq!(records.len(), handshake.len() + encrypted.len());
    assert!(relay.wants_server_bytes());

    let step = relay.on_dom0(established(Protection::Tls13, handshake.len()));
    assert_eq!(surplus(step), bytes[handshake.len()..]);
}

#[test]
fn dom0_can_only_have_used_whole_records_that_it_was_given() {
    let hello = server_hello(Protection::Tls13);
    for consumed in [1, hello.len() - 1, hello.len() + 1, usize::MAX] {
        let mut relay = HandshakeRelay::new(LIMIT);
        relay.on_server_bytes(&hello).expect("good record");
        let error = relay
            .on_dom0(established(Protection::Tls13, consumed))
            .err();
        let consumed = consumed as u64;
        assert_eq!(error, Some(HandshakeError::Consumed { consumed }));
    }
}

#[test]
fn the_next_explicit_nonce_must_follow_the_one_on_the_wire() {
    let with_nonce = |mut relay: HandshakeRelay, nonce| {
        let SessionMessage::Established(mut message) = established(Protection::Tls12Gcm, 0) else {
            unreachable!("made above");
        };
        message.keys.client_explicit_nonce = nonce;
        relay.on_dom0(SessionMessage::Established(message)).err()
    };
    assert_eq!(with_nonce(after_client_finished(), Some(NEXT_NONCE)), None);
    for wrong in [Some(FINISHED_NONCE), Some([0; 8]), None] {
        let error = with_nonce(after_client_finished(), wrong);
        assert_eq!(error, Some(HandshakeError::Nonce));
    }
    // Nor may it be given without any Finished.
    for nonce in [Some(NEXT_NONCE), Some([0; 8])] {
        let error = with_nonce(HandshakeRelay::new(LIMIT), nonce);
        assert_eq!(error, Some(HandshakeError::Nonce));
    }

    let mut wrapping = HandshakeRelay::new(LIMIT);
    let flight = SessionMessage::ClientRecords(last_flight([0xff; 8]));
    assert!(wrapping.on_dom0(flight).is_ok());
    assert_eq!(with_nonce(wrapping, Some([0; 8])), None);
}

#[test]
fn other_suites_have_no_explicit_nonce_to_check() {
    for protection in [Protection::Tls12ChaCha, Protection::Tls13] {
        let step = HandshakeRelay::new(LIMIT).on_dom0(established(protection, 0));
        assert!(surplus(step).is_empty());
    }
}

#[test]
fn a_finished_cut_over_two_messages_is_found() {
    let mut relay = HandshakeRelay::new(LIMIT);
    let flight = last_flight(FINISHED_NONCE);
    for part in flight.chunks(9) {
        let step = relay.on_dom0(SessionMessage::ClientRecords(part.to_vec()));
        assert!(matches!(step, Ok(Step::SendToServer(bytes)) if bytes == part));
    }
    let step = relay.on_dom0(established(Protection::Tls12Gcm, 0));
    assert!(surplus(step).is_empty());
}

#[test]
fn a_handshake_may_be_as_long_as_the_limit_and_no_longer() {
    let mut relay = HandshakeRelay::new(1_000);
    assert!(relay.on_server_bytes(&handshake_record(495)).is_ok());
    assert!(relay.on_server_bytes(&handshake_record(495)).is_ok());
    let (from, max) = ("server", 1_000);
    let error = relay.on_server_bytes(&handshake_record(0)).err();
    assert_eq!(error, Some(HandshakeError::TooLong { from, max }));

    let mut relay = HandshakeRelay::new(1_000);
    let long = SessionMessage::ClientRecords(handshake_record(996));
    let from = "card";
    let error = relay.on_dom0(long).err();
    assert_eq!(error, Some(HandshakeError::TooLong { from, max }));
}

#[test]
fn the_agent_has_a_limit_of_its_own() {
    let mut relay = HandshakeRelay::new(u64::MAX);
    let record = handshake_record(16_000);
    let fitting = MAX_HANDSHAKE / record.len();
    for _ in 0..fitting {
        assert!(relay.on_server_bytes(&record).is_ok());
    }
    let error = relay.on_server_bytes(&record).err();
    assert!(matches!(error, Some(HandshakeError::TooLong { .. })));
}

#[test]
fn tls13_data_beyond_the_limit_waits_in_the_agent() {
    let mut relay = HandshakeRelay::new(1_000);
    let hello = server_hello(Protection::Tls13);
    let data = record(ContentType::ApplicationData, &[5; 400]);
    let bytes = [hello.as_slice(), &data, &data, &data, &data].concat();
    let records = relay.on_server_bytes(&bytes).expect("good records");
    assert_eq!(records, bytes[..hello.len() + 2 * data.len()]);
    assert!(!relay.wants_server_bytes());
    let step = relay.on_dom0(established(Protection::Tls13, hello.len()));
    assert_eq!(surplus(step), bytes[hello.len()..]);
}

#[test]
fn a_server_that_does_not_speak_tls_is_found_out() {
    let error = HandshakeRelay::new(LIMIT)
        .on_server_bytes(b"HTTP/1.1 400")
        .err();
    assert!(matches!(error, Some(HandshakeError::Server(_))));
}

#[test]
fn a_server_that_leaves_early_ends_the_handshake_unless_it_said_why() {
    let after = |records: &[Vec<u8>]| {
        let mut relay = HandshakeRelay::new(LIMIT);
        relay
            .on_server_bytes(&records.concat())
            .expect("good records");
        relay.on_server_closed()
    };
    let tls12 = server_hello(Protection::Tls12Gcm);
    assert_eq!(after(&[]), Err(HandshakeError::ServerClosed));
    assert_eq!(
        after(std::slice::from_ref(&tls12)),
        Err(HandshakeError::ServerClosed)
    );
    assert_eq!(after(&[tls12, last_flight([0; 8])]), Ok(()));
    let alert = Alert::fatal(AlertDescription::HANDSHAKE_FAILURE);
    let alert = record(ContentType::Alert, &alert.encode());
    assert_eq!(after(&[alert]), Ok(()));
}

#[test]
fn a_tls13_server_may_leave_once_the_card_has_finished() {
    let hello = server_hello(Protection::Tls13);
    let mut relay = HandshakeRelay::new(LIMIT);
    relay.on_server_bytes(&hello).expect("good record");
    assert_eq!(relay.on_server_closed(), Err(HandshakeError::ServerClosed));

    let mut relay = after_client_finished();
    relay.on_server_bytes(&hello).expect("good record");
    assert_eq!(relay.on_server_closed(), Ok(()));
}

#[test]
fn the_version_is_read_from_a_hello_in_pieces_and_after_a_retry() {
    // SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
    const RETRY: [u8; 32] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,
        0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
        0x33, 0x9c,
    ];
    let retry = server_hello_message(Protection::Tls13, RETRY);
    let hello = server_hello_message(Protection::Tls13, [9; 32]);
    let mut relay = HandshakeRelay::new(LIMIT);
    let mut send = |bytes: &[u8]| {
        for piece in bytes.chunks(7) {
            let piece = record(ContentType::Handshake, piece);
            relay.on_server_bytes(&piece).expect("good record");
        }
        relay.server.version()
    };
    assert_eq!(send(&retry), None);
    assert_eq!(send(&hello), Some(ProtocolVersion::TLS1_3));
}

#[test]
fn an_unreadable_hello_is_left_to_dom0() {
    let mut relay = HandshakeRelay::new(LIMIT);
    let bad = record(ContentType::Handshake, &[2, 0, 0, 1, 0]);
    assert_eq!(relay.on_server_bytes(&bad), Ok(bad));
    assert_eq!(relay.server.version(), None);
    assert!(relay.wants_server_bytes());
}

#[test]
fn malformed_records_from_dom0_do_not_reach_the_server() {
    let bad = SessionMessage::ClientRecords(b"not TLS".to_vec());
    let error = HandshakeRelay::new(LIMIT).on_dom0(bad).err();
    assert!(matches!(error, Some(HandshakeError::Dom0Records(_))));
}

#[test]
fn a_refusal_comes_out_with_its_alert() {
    let refused = Refused {
        session: Some(SessionId(1)),
        code: RefusalCode::PeerUntrusted,
        message: "no".to_owned(),
        alert: Some(vec![21, 3, 3, 0, 2, 2, 48]),
        retry_after_ms: None,
    };
    let step = HandshakeRelay::new(LIMIT).on_dom0(SessionMessage::Refused(refused.clone()));
    assert!(matches!(step, Ok(Step::Refused(came)) if came == refused));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_byte_is_lost_however_the_stream_is_cut(
        tls13 in any::<bool>(),
        data in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5),
        tail in 0_usize..5,
        chunk in 1_usize..300,
    ) {
        let protection = if tls13 { Protection::Tls13 } else { Protection::Tls12Gcm };
        let handshake = [server_hello(protection), last_flight([1; 8])].concat();
        let mut stream = handshake.clone();
        for data in &data {
            stream.extend(record(ContentType::ApplicationData, data));
        }
        stream.extend(&[23, 3, 3, 9, 9][..tail]);

        let mut relay = after_client_finished();
        let mut forwarded = Vec::new();
        for part in stream.chunks(chunk) {
            forwarded.extend(relay.on_server_bytes(part).expect("good records"));
        }
        prop_assert!(stream.starts_with(&forwarded));
        prop_assert!(forwarded.starts_with(&handshake));
        if !tls13 {
            prop_assert_eq!(forwarded.len(), handshake.len());
        }
        let step = relay.on_dom0(established(protection, handshake.len()));
        prop_assert_eq!(surplus(step), stream.split_off(handshake.len()));
    }

    #[test]
    fn garbage_of_the_server_is_an_error_or_records(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut relay = HandshakeRelay::new(LIMIT);
        if let Ok(records) = relay.on_server_bytes(&bytes) {
            prop_assert!(bytes.starts_with(&records));
        }
    }
}

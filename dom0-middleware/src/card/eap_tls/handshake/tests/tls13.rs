//! TLS 1.3: record by record, and the card's word for what it verified.

use proto::tls::{ProtocolVersion, SessionKeys};

use super::{Rig, status};
use crate::card::eap_tls::testing::sceptic;
use crate::card::eap_tls::testing::tls::{self, Server, encrypted13, server_finished13};
use crate::card::error::SessionError;
use crate::card::fault::{CardFault, CardStep};
use crate::card::session_fault::HandshakeFault;
use crate::card::trust::TrustError;

/// TLS_AES_128_GCM_SHA256.
const SUITE: u16 = 0x1301;

fn server() -> Server {
    Server {
        version: 0x0304,
        suite: SUITE,
        extended_master_secret: false,
        ..Server::default()
    }
}

/// ServerHello, ChangeCipherSpec, three encrypted records.
fn flight() -> Vec<u8> {
    [
        server().hello_only(),
        tls::record(20, &[1]),
        encrypted13(&[1; 50]),
        encrypted13(&[2; 2_000]),
        server_finished13(),
    ]
    .concat()
}

fn rig() -> Rig {
    let mut rig = Rig::with_server(&server());
    rig.capabilities.tls13 = true;
    rig.card.has_tls13 = true;
    rig.card.hello.tls13 = true;
    rig.card.hello.suites.push(SUITE);
    rig.card.suite_answer = vec![0x13, 0x01, 3, 4, 0];
    rig.card.key_block = (0..64).collect();
    rig.flights = vec![flight()];
    rig
}

/// Whether the KeyBlock was asked for.
fn asked_for_keys(rig: &Rig) -> bool {
    let is_it =
        |command: &proto::apdu::CommandApdu| command.ins == 0x86 && command.data() == [0x82];
    rig.card.log.iter().any(is_it)
}

#[test]
fn the_keys_are_two_secrets_and_nothing_was_sealed_under_them() {
    let mut rig = rig();
    rig.card.alpn = b"h2".to_vec();
    rig.request.alpn = vec![b"h2".to_vec()];
    let completed = rig.run().expect("a handshake");
    assert_eq!(completed.keys.version, ProtocolVersion::TLS1_3);
    assert_eq!(completed.keys.cipher_suite.0, SUITE);
    assert_eq!(
        (
            completed.keys.client_sequence,
            completed.keys.server_sequence
        ),
        (0, 0)
    );
    assert_eq!(completed.keys.client_explicit_nonce, None);
    let SessionKeys::TrafficSecrets(secrets) = completed.keys.keys else {
        panic!("no secrets");
    };
    let expected: Vec<u8> = (0..64).collect();
    assert_eq!(
        (&secrets.client[..], &secrets.server[..]),
        expected.split_at(32)
    );
    assert_eq!(completed.peer_certificates, [tls::SERVER_CERTIFICATE]);
    assert_eq!(completed.alpn.as_deref(), Some(&b"h2"[..]));
    assert!(!completed.abbreviated && completed.session.is_none());
    assert_eq!(completed.consumed, flight().len() as u64);
    assert_eq!(rig.to_server.last(), Some(&tls::client_finished13()));
}

#[test]
fn what_follows_the_handshake_is_left_to_the_record_layer() {
    let mut rig = rig();
    let ticket = encrypted13(&[9; 200]);
    rig.flights = vec![[flight(), ticket].concat()];
    let completed = rig.run().expect("a handshake");
    assert_eq!(completed.consumed, flight().len() as u64);
}

#[test]
fn bytes_may_come_in_any_pieces() {
    for size in [1, 7, 300] {
        let mut rig = rig();
        rig.flights = flight().chunks(size).map(<[u8]>::to_vec).collect();
        assert!(rig.run().is_ok(), "pieces of {size}");
    }
}

#[test]
fn each_message_to_the_card_is_one_record() {
    let mut rig = rig();
    rig.parameters.profile.segment_len = 255;
    rig.run().expect("a handshake");
    let mut starts = rig.card.log.iter().filter_map(|command| {
        let is_first = command.ins == 0x80 && command.data().first() == Some(&1);
        is_first.then(|| command.data().get(6..9).map(<[u8]>::to_vec))
    });
    // The start packet; then the header of each record.
    starts.next();
    let types: Vec<u8> = starts
        .flatten()
        .filter(|h| h[1..] == [3, 3])
        .map(|h| h[0])
        .collect();
    assert_eq!(types.iter().filter(|t| **t == 22).count(), 1);
    assert_eq!(types.iter().filter(|t| **t == 20).count(), 1);
}

#[test]
fn a_server_that_is_not_trusted_gets_no_keys_out_of_the_card() {
    let mut rig = rig();
    rig.verifier = sceptic();
    let failure = rig.run().expect_err("unknown issuer");
    let expected = SessionError::PeerUntrusted(TrustError::UnknownIssuer);
    assert_eq!(failure.error, expected);
    assert_eq!(failure.alert, None, "nothing in clear means anything now");
    assert!(!asked_for_keys(&rig));
}

#[test]
fn a_card_that_does_not_say_whom_it_verified_is_of_no_use() {
    let mut rig = rig().answering(|command, usual| match command.data() {
        [0x84] if command.ins == 0x86 => status(0x6A88),
        _ => usual,
    });
    let fault = rig.card_fault();
    assert!(
        matches!(
            fault,
            CardFault::CannotExport {
                step: CardStep::ServerCertificates,
                ..
            }
        ),
        "{fault:?}"
    );
    assert!(!asked_for_keys(&rig));
}

#[test]
fn another_client_certificate_is_a_swapped_card_and_none_is_a_server_that_asked_for_none() {
    let mut swapped = rig();
    swapped.card.certificate = Some(b"of another card".to_vec());
    assert!(matches!(swapped.error(), SessionError::CardSwapped { .. }));
    assert!(!asked_for_keys(&swapped));
    let mut none = rig();
    none.card.certificate = None;
    assert!(none.run().is_ok());
}

#[test]
fn a_protocol_that_was_not_offered_is_refused() {
    let mut rig = rig();
    rig.card.alpn = b"h2".to_vec();
    assert_eq!(
        rig.error(),
        SessionError::HandshakeFailed(HandshakeFault::Alpn)
    );
    assert!(!asked_for_keys(&rig));
}

#[test]
fn a_card_that_is_not_authenticated_gives_no_keys() {
    for got in [1, 4, 9] {
        let mut rig = rig();
        rig.card.final_state = got;
        assert_eq!(rig.card_fault(), CardFault::NotAuthenticated { got });
        assert!(!asked_for_keys(&rig));
    }
}

#[test]
fn keys_that_are_too_short_are_refused() {
    let mut rig = rig();
    rig.card.key_block.pop();
    let (need, got) = (64, 63);
    assert_eq!(rig.card_fault(), CardFault::ShortKeyBlock { need, got });
}

#[test]
fn records_that_have_no_place_end_the_handshake() {
    let hello = server().hello_only();
    for intruder in [
        tls::record(22, &[20, 0, 0, 1, 0]),
        tls::record(20, &[2]),
        tls::record(24, &[1]),
        tls::alert(40),
        b"GET / HTTP/1.0".to_vec(),
    ] {
        let mut rig = rig();
        rig.flights = vec![[hello.clone(), intruder.clone()].concat(), flight()];
        let error = rig.error();
        assert!(
            matches!(error, SessionError::HandshakeFailed(_)),
            "{intruder:02X?}: {error:?}"
        );
    }
}

#[test]
fn a_retry_is_carried_to_the_card_and_must_be_kept_to() {
    let mut once = rig();
    once.flights = vec![
        [tls::retry(SUITE), tls::record(20, &[1])].concat(),
        flight(),
    ];
    let completed = once.run().expect("a handshake");
    assert_eq!(once.to_server.len(), 3, "two ClientHellos and the end");
    assert_eq!(completed.keys.version, ProtocolVersion::TLS1_3);

    let mut twice = rig();
    twice.flights = vec![tls::retry(SUITE), tls::retry(SUITE)];
    assert!(matches!(twice.error(), SessionError::HandshakeFailed(_)));

    let mut other_suite = rig();
    other_suite.card.hello.suites.push(0x1303);
    other_suite.flights = vec![tls::retry(0x1303), flight()];
    assert!(matches!(
        other_suite.error(),
        SessionError::HandshakeFailed(_)
    ));
}

#[test]
fn a_card_that_can_is_asked_for_it_and_may_be_held_to_it() {
    let mut rig = rig();
    rig.request.min_version = ProtocolVersion::TLS1_3;
    assert!(rig.run().is_ok());
    let parameters = rig.card.log.iter().find(|command| command.ins == 0x8A);
    let data = parameters.expect("a range").data().to_vec();
    assert!(data.windows(6).any(|tlv| tlv == [3, 4, 3, 4, 3, 4]));
}

#[test]
fn more_bytes_than_a_handshake_may_have_end_it() {
    let mut rig = rig();
    rig.request.max_bytes = 3_000;
    let many = (0..3).flat_map(|_| encrypted13(&[7; 1_000]));
    rig.flights = vec![server().hello_only().into_iter().chain(many).collect()];
    assert_eq!(rig.error(), SessionError::TooManyBytes { max: 3_000 });
}

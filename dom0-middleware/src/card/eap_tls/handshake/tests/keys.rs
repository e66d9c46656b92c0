//! What a good handshake ends with, and what spoils its end.

use proto::apdu::StatusWord;
use proto::tls::{CipherSuite, ProtocolVersion, SessionKeys};

use super::{Rig, status, success};
use crate::card::eap_tls::testing::tls::{CBC, GCM, SERVER_CERTIFICATE, Server, record};
use crate::card::fault::{CardFault, CardStep};

#[test]
fn a_full_handshake_ends_with_all_a_record_layer_needs() {
    let server = Server {
        alpn: Some(b"h2".to_vec()),
        ..Server::default()
    };
    let mut rig = Rig::with_server(&server);
    rig.request.alpn = vec![b"h2".to_vec()];
    let consumed = rig.flights.iter().map(Vec::len).sum::<usize>();
    let completed = rig.run().expect("a good handshake");

    let keys = &completed.keys;
    assert_eq!(keys.version, ProtocolVersion::TLS1_2);
    assert_eq!(keys.cipher_suite, CipherSuite(GCM));
    let SessionKeys::KeyBlock(key_block) = &keys.keys else {
        panic!("TLS 1.2 has a key block");
    };
    assert_eq!(key_block.as_bytes(), (0..40).collect::<Vec<u8>>());
    assert_eq!((keys.client_sequence, keys.server_sequence), (1, 1));
    // The client's Finished carried FF000000 000000FF.
    assert_eq!(
        keys.client_explicit_nonce,
        Some([0xFF, 0, 0, 0, 0, 0, 1, 0])
    );
    assert!(!completed.abbreviated && completed.extended_master_secret);
    assert!(!completed.encrypt_then_mac);
    assert_eq!(completed.consumed, consumed as u64);
    assert_eq!(completed.alpn.as_deref(), Some(&b"h2"[..]));
    assert_eq!(completed.peer_certificates, [SERVER_CERTIFICATE]);
    assert_eq!(rig.to_server.len(), 2);
}

#[test]
fn what_follows_the_servers_finished_is_not_consumed() {
    let mut rig = Rig::new();
    let consumed = rig.flights.iter().map(Vec::len).sum::<usize>();
    rig.flights[1].extend(record(23, &[0; 50]));
    let completed = rig.run().expect("early data does not matter");
    assert_eq!(completed.consumed, consumed as u64);
}

#[test]
fn a_suite_without_explicit_nonce_has_none() {
    let mut rig = Rig::with_server(&Server {
        suite: CBC,
        ..Server::default()
    });
    rig.card.suite_answer = CBC.to_be_bytes().to_vec();
    rig.card.key_block = vec![7; 72];
    let completed = rig.run().expect("a good handshake");
    assert_eq!(completed.keys.client_explicit_nonce, None);
}

#[test]
fn a_suite_other_than_server_hellos_is_refused() {
    let mut rig = Rig::new();
    rig.card.suite_answer = CBC.to_be_bytes().to_vec();
    assert_eq!(
        rig.card_fault(),
        CardFault::SuiteMismatch {
            expected: CipherSuite(GCM),
            got: CipherSuite(CBC)
        }
    );
    assert_eq!(key_block_reads(&rig), 0, "the key block is not even read");
}

#[test]
fn a_version_other_than_server_hellos_is_refused() {
    let mut rig = Rig::new();
    rig.card.suite_answer = [&GCM.to_be_bytes()[..], &[3, 1, 0]].concat();
    assert_eq!(
        rig.card_fault(),
        CardFault::VersionMismatch {
            expected: ProtocolVersion::TLS1_2,
            got: ProtocolVersion::TLS1_0
        }
    );
}

#[test]
fn short_and_long_suite_answers_are_taken() {
    let gcm = GCM.to_be_bytes();
    for tail in [&[][..], &[3, 3], &[3, 3, 0, 0xAA, 0xBB]] {
        let mut rig = Rig::new();
        rig.card.suite_answer = [&gcm[..], tail].concat();
        assert!(rig.run().is_ok(), "{tail:02X?}");
    }
}

#[test]
fn a_suite_answer_of_one_byte_is_malformed() {
    let mut rig = Rig::new();
    rig.card.suite_answer = vec![0xC0];
    assert!(matches!(
        rig.card_fault(),
        CardFault::Malformed {
            step: CardStep::CipherSuite,
            ..
        }
    ));
}

#[test]
fn a_short_key_block_is_refused_and_a_long_one_cut() {
    let mut rig = Rig::new();
    rig.card.key_block = vec![1; 39];
    assert_eq!(
        rig.card_fault(),
        CardFault::ShortKeyBlock { need: 40, got: 39 }
    );

    let mut rig = Rig::new();
    rig.card.key_block = vec![1; 80];
    let completed = rig.run().expect("more than enough");
    let SessionKeys::KeyBlock(key_block) = &completed.keys.keys else {
        panic!("TLS 1.2 has a key block");
    };
    assert_eq!(key_block.as_bytes().len(), 40);
}

#[test]
fn a_card_without_export_says_so() {
    for answer in [status(0x6D00), status(0x6A88), status(0x6B00), success(&[])] {
        let sw: StatusWord = answer.sw;
        let mut rig = Rig::new().answering(move |command, usual| match command.ins {
            0x86 => answer.clone(),
            _ => usual,
        });
        assert_eq!(
            rig.card_fault(),
            CardFault::CannotExport {
                step: CardStep::CipherSuite,
                sw
            }
        );
    }
}

#[test]
fn a_state_other_than_authenticated_gives_no_keys() {
    let mut rig = Rig::new().answering(|command, usual| match (command.ins, command.p1) {
        (0x19, 0) => success(&[4]),
        _ => usual,
    });
    assert_eq!(rig.card_fault(), CardFault::NotAuthenticated { got: 4 });
    assert_eq!(key_block_reads(&rig), 0);

    // A card that is not known to follow the draft is not asked.
    rig = Rig::new().answering(|command, usual| match (command.ins, command.p1) {
        (0x19, 0) => success(&[4]),
        _ => usual,
    });
    rig.parameters.profile.draft26_states = false;
    assert!(rig.run().is_ok());
}

fn key_block_reads(rig: &Rig) -> usize {
    rig.card
        .log
        .iter()
        .filter(|command| command.ins == 0x86 && command.data() == [0x82])
        .count()
}

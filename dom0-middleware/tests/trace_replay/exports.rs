//! `ext-*`: full and abbreviated handshakes, each followed by the export of its keys.

use std::sync::Arc;

use dom0_middleware::card::eap_tls::handshake::Completed;
use dom0_middleware::card::{SessionError, TrustError};
use proto::tls::{CipherSuite, ProtocolVersion, SessionKeys};

use crate::trace_support::{Judge, Rig, Trace, hex, recorded_key_block};

/// One card: a whole life from select to the end of the second handshake.
#[derive(Clone, Copy)]
struct Recording {
    file: &'static str,
    /// Steps of the recording host that no handshake needs, by their notes.
    not_ours: &'static [&'static str],
    suite: CipherSuite,
    certificate: &'static str,
}

const AES_CERTIFICATE: &str = "FE36962E7DCAEF9A995C0769A421D6FD9542CB6DB6A7B733CB14A458A0A889A5";
const RC4_CERTIFICATE: &str = "07FCF9D444B0685BBAC1608F7A6774BC7DC5B3F5CDB8C24D866F6C68F3123F05";

const AES_T1: Recording = Recording {
    file: "ext-aes-t1.txt",
    not_ours: &[],
    suite: CipherSuite(0x002F),
    certificate: AES_CERTIFICATE,
};

const AES_T0: Recording = Recording {
    file: "ext-aes-t0.txt",
    ..AES_T1
};

const RC4_T1: Recording = Recording {
    file: "ext-rc4-t1.txt",
    // Probes of the states in which there is nothing to export.
    not_ours: &[
        "Get-State: no identity set",
        "Get-State after reset",
        "Get-State while authenticating",
        "KeyBlock before a handshake",
        "KeyBlock after Reset-State",
        "unknown index",
    ],
    suite: CipherSuite(0x0004),
    certificate: RC4_CERTIFICATE,
};

const RC4_T0: Recording = Recording {
    file: "ext-rc4-t0.txt",
    ..RC4_T1
};

#[test]
fn the_aes_card_hands_over_its_recorded_keys_full_and_abbreviated() {
    replay_whole(AES_T1);
}

#[test]
fn the_aes_card_behind_t0_hands_over_its_recorded_keys() {
    replay_whole(AES_T0);
}

#[test]
fn the_rc4_card_hands_over_its_recorded_keys() {
    replay_whole(RC4_T1);
}

#[test]
fn the_rc4_card_behind_t0_hands_over_its_recorded_keys() {
    replay_whole(RC4_T0);
}

#[test]
fn an_untrusted_server_never_reaches_the_card() {
    let mut rig = opened(AES_T1);
    rig.verifier = Arc::new(Judge::refusing());
    let before_flight = rig.replay.sent() + 3; // Set-Identity, Reset-State, start
    let failure = rig.handshake(None).expect_err("the server is not trusted");
    assert_eq!(
        failure.error,
        SessionError::PeerUntrusted(TrustError::UnknownIssuer)
    );
    assert_eq!(rig.replay.sent(), before_flight);
    let unknown_ca = [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x30];
    assert_eq!(failure.alert.as_deref(), Some(&unknown_ca[..]));
}

#[test]
fn a_card_with_another_certificate_gets_no_further() {
    let mut rig = opened(Recording {
        certificate: RC4_CERTIFICATE,
        ..AES_T1
    });
    let failure = rig
        .handshake(None)
        .expect_err("not the identity's certificate");
    assert!(
        matches!(failure.error, SessionError::CardSwapped { got } if hex(&got) == AES_CERTIFICATE)
    );
    assert!(rig.to_server.len() == 1, "only ClientHello has left");
}

#[test]
fn a_recorded_resumption_without_record_is_refused() {
    // The card offers its session; it has no command 8A, and C2 is not known to work.
    let mut rig = opened(AES_T1);
    let first = rig.complete(None).expect("the recorded full handshake");
    rig.close();
    assert!(first.session.is_some());
    rig.steps.set_identity = false;
    rig.steps.reset_state = false;
    let failure = rig.handshake(None).expect_err("no record stands behind it");
    assert!(
        matches!(failure.error, SessionError::Policy(_)),
        "{failure:?}"
    );
    assert!(rig.to_server.is_empty(), "the ClientHello stays here");
}

fn opened(recording: Recording) -> Rig {
    let trace = Trace::load(recording.file).without(recording.not_ours);
    let mut rig = Rig::of(trace, recording.certificate);
    rig.open("0000").expect("the recorded opening");
    rig
}

fn replay_whole(recording: Recording) {
    let mut rig = opened(recording);
    let full = rig.complete(None).expect("the recorded full handshake");
    rig.close();
    assert_established(&full, recording, "full handshake");
    assert!(!full.abbreviated);
    assert_eq!(rig.verifier.names(), ["server.example"]);
    assert_eq!(rig.to_server.len(), 2, "ClientHello, then one flight");
    assert_eq!(full.peer_certificates.len(), 2);
    let session = full.session.expect("the server gave a session id");

    rig.steps.set_identity = false;
    rig.steps.reset_state = false;
    let abbreviated = rig
        .complete(Some(session.clone()))
        .expect("the recorded abbreviated handshake");
    rig.close();
    assert_established(&abbreviated, recording, "abbreviated handshake");
    assert!(abbreviated.abbreviated);
    assert_eq!(abbreviated.peer_certificates, full.peer_certificates);
    assert_eq!(abbreviated.session, Some(session));
    assert!(rig.replay.is_over(), "the whole recording was replayed");
}

fn assert_established(completed: &Completed, recording: Recording, what: &str) {
    let section = format!("{}: {what}", recording.file);
    let SessionKeys::KeyBlock(key_block) = &completed.keys.keys else {
        panic!("{section}: a key block");
    };
    assert_eq!(
        hex(key_block.as_bytes()),
        hex(&recorded_key_block(&section)),
        "{section}"
    );
    assert_eq!(completed.keys.version, ProtocolVersion::TLS1_0);
    assert_eq!(completed.keys.cipher_suite, recording.suite);
    assert_eq!(completed.keys.client_sequence, 1);
    assert_eq!(completed.keys.server_sequence, 1);
    assert_eq!(completed.keys.client_explicit_nonce, None);
    assert!(!completed.extended_master_secret && !completed.encrypt_then_mac);
}

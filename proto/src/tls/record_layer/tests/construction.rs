//! Which keys a layer can be made of.

use zeroize::Zeroizing;

use super::pair::{ALL, established};
use crate::tls::{
    CipherSuite, Established, KeyBlock, ProtocolVersion, RecordError, RecordLayer, SessionKeys,
    TlsError, TrafficSecrets,
};

fn error(established: Established) -> Option<RecordError> {
    RecordLayer::new(established).err()
}

fn key_block(len: usize) -> SessionKeys {
    SessionKeys::KeyBlock(KeyBlock::new(vec![7; len]))
}

fn secrets(client: usize, server: usize) -> SessionKeys {
    let secret = |len| Zeroizing::new(vec![7; len]);
    SessionKeys::TrafficSecrets(TrafficSecrets {
        client: secret(client),
        server: secret(server),
    })
}

#[test]
fn every_aead_suite_has_a_layer() {
    for suite in ALL
        .into_iter()
        .chain([0x009C, 0x009D, 0xC02B, 0xC030, 0xCCA9])
    {
        let layer = RecordLayer::new(established(suite)).unwrap();
        assert_eq!(layer.cipher_suite(), CipherSuite(suite));
        assert_eq!(
            layer.version() == ProtocolVersion::TLS1_3,
            suite < 0x1400 && suite > 0x1300
        );
        assert!(!layer.has_pending_control());
    }
}

#[test]
fn other_suites_and_versions_have_none() {
    for (version, suite) in [
        (0x0303, 0x0004), // RC4
        (0x0303, 0x002F), // CBC
        (0x0303, 0xC09C), // CCM
        (0x0304, 0x1304), // CCM
        (0x0303, 0xFFFF), // unknown
        (0x0302, 0xC02F), // GCM before TLS 1.2
        (0x0301, 0xC02F),
        (0x0305, 0x1301),
        (0x0303, 0x1301), // suite of another version
        (0x0304, 0xC02F),
    ] {
        let (version, cipher_suite) = (ProtocolVersion(version), CipherSuite(suite));
        let given = Established {
            version,
            cipher_suite,
            ..established(0x1301)
        };
        assert_eq!(
            error(given),
            Some(RecordError::Unsupported {
                version,
                cipher_suite
            })
        );
    }
}

#[test]
fn sequence_numbers_are_those_right_after_the_handshake() {
    for (suite, client, server) in [
        (0xC02F, 0, 1),
        (0xC02F, 1, 0),
        (0xC02F, 2, 1),
        (0xC02F, 1, 2),
        (0x1301, 0, 1),
        (0x1301, 1, 0),
    ] {
        let given = Established {
            client_sequence: client,
            server_sequence: server,
            ..established(suite)
        };
        assert_eq!(
            error(given),
            Some(RecordError::SequenceNumbers { client, server })
        );
    }
}

#[test]
fn gcm_in_tls12_needs_an_explicit_nonce_and_nothing_else_does() {
    let without = |suite| Established {
        client_explicit_nonce: None,
        ..established(suite)
    };
    assert_eq!(
        error(without(0xC02F)),
        Some(RecordError::MissingExplicitNonce)
    );
    assert_eq!(error(without(0xCCA8)), None);
    assert_eq!(error(without(0x1301)), None);
}

#[test]
fn keys_are_of_the_version() {
    let tls12 = Established {
        keys: secrets(32, 32),
        ..established(0xC02F)
    };
    assert_eq!(
        error(tls12),
        Some(RecordError::WrongKeys {
            version: ProtocolVersion::TLS1_2
        })
    );
    let tls13 = Established {
        keys: key_block(40),
        ..established(0x1301)
    };
    assert_eq!(
        error(tls13),
        Some(RecordError::WrongKeys {
            version: ProtocolVersion::TLS1_3
        })
    );
}

#[test]
fn keys_are_long_enough() {
    let short = Established {
        keys: key_block(39),
        ..established(0xC02F)
    };
    let expected = TlsError::ShortKeyBlock { need: 40, got: 39 };
    assert_eq!(error(short), Some(RecordError::Tls(expected)));
    assert_eq!(
        error(Established {
            keys: key_block(41),
            ..established(0xC02F)
        }),
        None
    );

    for (suite, need, client, server) in [
        (0x1301, 32, 31, 32),
        (0x1301, 32, 32, 48),
        (0x1302, 48, 32, 48),
        (0x1302, 48, 48, 49),
    ] {
        let got = if client == need { server } else { client };
        let given = Established {
            keys: secrets(client, server),
            ..established(suite)
        };
        assert_eq!(error(given), Some(RecordError::SecretLength { need, got }));
    }
}

//! The record layer of a guest against a server that says anything, under the right keys and not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::tls::{
    CipherSuite, ContentType, Established, KeyBlock, MAX_PLAINTEXT, Opened, ProtocolVersion,
    Record, RecordLayer, ServerEnd, SessionKeys, TrafficSecrets,
};
use tessera_fuzz::pieces::pieces;
use zeroize::Zeroizing;

/// AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305, of TLS 1.2 and of TLS 1.3.
const SUITES: [u16; 6] = [0xC02F, 0xC02C, 0xCCA8, 0x1301, 0x1302, 0x1303];

fuzz_target!(|input: &[u8]| {
    let Some((&suite, input)) = input.split_first() else {
        return;
    };
    let suite = SUITES[usize::from(suite) % SUITES.len()];
    let mut client = RecordLayer::new(established(suite)).expect("fitting keys");
    let mut server = ServerEnd::new(established(suite)).expect("fitting keys");
    let mut out = Vec::new();
    for piece in pieces(input) {
        let mut record = Vec::new();
        match piece.kind {
            // Bytes as they are.
            0 => record = piece.bytes.to_vec(),
            1 => {
                let sealed = client.seal(piece.bytes, &mut out);
                if sealed.is_err() {
                    let _ = client.seal_close_notify(&mut out);
                }
                continue;
            }
            2 => {
                if client.has_pending_control() {
                    client
                        .flush_control(&mut out)
                        .expect("its direction is open");
                }
                continue;
            }
            3 => {
                server.change_key();
                continue;
            }
            kind => {
                let content_type = ContentType::from(kind + 16);
                if server.seal(content_type, piece.bytes, &mut record).is_err() {
                    return;
                }
            }
        }
        match client.open(&mut record) {
            Ok(Opened::Data(data)) => assert!((1..=MAX_PLAINTEXT).contains(&data.len())),
            Ok(_) => {}
            Err(error) => {
                let alert = error.alert();
                if let Some(alert) = alert {
                    let _ = client.seal_alert(alert, &mut out);
                }
                assert!(client.open(&mut [0; 5]).is_err(), "it is closed for good");
            }
        }
    }
    Record::decode_all(&out).expect("whole records");
});

fn established(suite: u16) -> Established {
    let cipher_suite = CipherSuite(suite);
    let (version, keys, sequence) = match cipher_suite.hash_len() {
        Some(length) => {
            let secret = |byte| Zeroizing::new(vec![byte; length]);
            let secrets = TrafficSecrets {
                client: secret(1),
                server: secret(2),
            };
            let keys = SessionKeys::TrafficSecrets(secrets);
            (ProtocolVersion::TLS1_3, keys, 0)
        }
        None => {
            let keys = SessionKeys::KeyBlock(KeyBlock::new((1..=100).collect()));
            (ProtocolVersion::TLS1_2, keys, 1)
        }
    };
    Established {
        version,
        cipher_suite,
        keys,
        client_sequence: sequence,
        server_sequence: sequence,
        client_explicit_nonce: Some([7; 8]),
    }
}

//! Sessions of OpenSSL with itself: the layer opens what the server sealed and seals the client's
//! data to the same bytes.

use zeroize::Zeroizing;

use super::pair::{Event, open};
use crate::tls::samples::hex;
use crate::tls::{
    CipherSuite, Established, KeyBlock, ProtocolVersion, RecordLayer, SessionKeys, TrafficSecrets,
    explicit_nonce, next_explicit_nonce,
};

const SESSIONS: &str = include_str!("../../../../tests/data/openssl-sessions.txt");

struct Session {
    name: String,
    established: Established,
    finished_nonce: Option<[u8; 8]>,
    /// What happened, in order: who or what, and the record.
    records: Vec<(String, Vec<u8>)>,
}

fn sessions() -> Vec<Session> {
    SESSIONS.split("\n[").skip(1).map(session).collect()
}

fn session(section: &str) -> Session {
    let (name, body) = section.split_once("]\n").unwrap();
    let fields: Vec<(&str, Vec<u8>)> = body
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(field, value)| (field.trim(), hex(value)))
        .collect();
    let field = |name| {
        fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, v)| v.clone())
    };
    let number = |name| u16::from_be_bytes(field(name).unwrap().try_into().unwrap());

    let cipher_suite = CipherSuite(number("cipher_suite"));
    let (keys, sequence) = match field("key_block") {
        Some(block) => (SessionKeys::KeyBlock(KeyBlock::new(block)), 1),
        None => {
            let secret = |name| Zeroizing::new(field(name).unwrap());
            let (client, server) = (secret("client_secret"), secret("server_secret"));
            (
                SessionKeys::TrafficSecrets(TrafficSecrets { client, server }),
                0,
            )
        }
    };
    let finished_nonce = field("client_finished").and_then(|record| explicit_nonce(&record));
    let established = Established {
        version: ProtocolVersion(number("version")),
        cipher_suite,
        keys,
        client_sequence: sequence,
        server_sequence: sequence,
        client_explicit_nonce: finished_nonce.map(next_explicit_nonce),
    };
    let records = fields
        .iter()
        .filter(|(field, _)| ["client", "server", "ticket", "update", "answer"].contains(field))
        .map(|(field, record)| ((*field).to_owned(), record.clone()))
        .collect();
    Session {
        name: name.to_owned(),
        established,
        finished_nonce,
        records,
    }
}

#[test]
fn recorded_sessions_are_reproduced_to_the_byte() {
    let sessions = sessions();
    assert_eq!(sessions.len(), 6);
    for Session {
        name,
        established,
        records,
        ..
    } in sessions
    {
        let mut layer = RecordLayer::new(established).unwrap();
        let (mut said, mut heard) = (0, 0);
        for (what, record) in records {
            let mut out = Vec::new();
            match what.as_str() {
                "client" => {
                    said += 1;
                    layer
                        .seal(format!("client {said}\n").as_bytes(), &mut out)
                        .unwrap();
                    assert_eq!(out, record, "{name}: client {said}");
                }
                "answer" => {
                    layer.flush_control(&mut out).unwrap();
                    assert_eq!(out, record, "{name}: answer");
                }
                "server" => {
                    heard += 1;
                    let data = format!("server {heard}\n").into_bytes();
                    let event = open(&mut layer, &record).unwrap();
                    assert_eq!(event, Event::Data(data), "{name}: server {heard}");
                }
                "ticket" => {
                    let event = open(&mut layer, &record).unwrap();
                    assert!(matches!(event, Event::Tickets(tickets) if tickets.len() == 1));
                }
                _ => {
                    assert_eq!(open(&mut layer, &record).unwrap(), Event::Nothing, "{name}");
                    assert!(layer.has_pending_control(), "{name}");
                }
            }
        }
        assert_eq!((said, heard), (2, 2), "{name}");
    }
}

#[test]
fn the_explicit_nonce_after_finished_is_never_that_of_finished() {
    let mut seen = 0;
    for Session {
        established,
        finished_nonce,
        ..
    } in sessions()
    {
        if established.version == ProtocolVersion::TLS1_2
            && established
                .cipher_suite
                .aead()
                .unwrap()
                .has_tls12_explicit_nonce()
        {
            let mut layer = RecordLayer::new(established).unwrap();
            let mut out = Vec::new();
            layer.seal(b"data", &mut out).unwrap();
            assert_eq!(
                explicit_nonce(&out),
                finished_nonce.map(next_explicit_nonce)
            );
            assert_ne!(explicit_nonce(&out), finished_nonce);
            seen += 1;
        }
    }
    assert_eq!(seen, 2);
}

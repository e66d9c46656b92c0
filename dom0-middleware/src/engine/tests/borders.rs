//! Where the handshake ends, and how it is cut.

use proto::tls::{ProtocolVersion, Record};

use super::bench::{Done, Key, Server, SoftCard, VERSIONS, go_on, handshake, request};
use crate::engine::{EngineStep, Engines};

fn run(server: &Server, data: &[u8]) -> Done {
    let mut link = server.connect();
    link.say(data);
    let card = SoftCard::new(Key::P256);
    let done = handshake(&Engines::new(), request(Key::P256), link, &card);
    done.expect("success")
}

/// Sequence numbers are those of a handshake alone, and the data is still there, sealed.
fn has_left_alone(done: Done, data: &[u8]) {
    let sequence = if done.session.keys.version == ProtocolVersion::TLS1_3 {
        0
    } else {
        1
    };
    assert_eq!(done.session.keys.server_sequence, sequence);
    assert!(!done.surplus().is_empty());
    let consumed = usize::try_from(done.session.consumed).expect("short");
    Record::decode_all(&done.server[..consumed]).expect("whole records");
    assert!(
        !done
            .surplus()
            .windows(data.len())
            .any(|window| window == data)
    );
    let before = done.carry_only();
    assert_eq!(before, data);
}

impl Done {
    /// The data that the server said behind the handshake.
    fn carry_only(self) -> Vec<u8> {
        let surplus = self.surplus().to_vec();
        let mut layer = proto::tls::RecordLayer::new(self.session.keys).expect("keys that fit");
        let mut data = Vec::new();
        for record in Record::decode_all(&surplus).expect("whole records") {
            let mut bytes = record.into_bytes();
            if let proto::tls::Opened::Data(part) = layer.open(&mut bytes).expect("these keys") {
                data.extend_from_slice(part);
            }
        }
        data
    }
}

#[test]
fn data_with_the_finished_of_tls12_is_left_alone() {
    has_left_alone(
        run(&Server::new(ProtocolVersion::TLS1_2), b"coalesced"),
        b"coalesced",
    );
}

#[test]
fn half_rtt_data_of_tls13_is_left_alone() {
    let server = Server::open_to_all(ProtocolVersion::TLS1_3)
        .with(|config| config.send_half_rtt_data = true);
    has_left_alone(run(&server, b"half an RTT early"), b"half an RTT early");
}

#[test]
fn tickets_behind_the_handshake_are_left_alone() {
    let done = run(&Server::new(ProtocolVersion::TLS1_3), b"");
    assert!(!done.surplus().is_empty(), "rustls sends tickets");
    assert_eq!(done.carry().tickets.len(), 2);
}

#[test]
fn records_may_be_short_and_come_alone() {
    for version in VERSIONS {
        for size in [60, 512] {
            let server = Server::new(version).with(|config| config.max_fragment_size = Some(size));
            let (engines, card) = (Engines::new(), SoftCard::new(Key::P256));
            let wish = request(Key::P256);
            handshake(&engines, wish.clone(), server.connect(), &card)
                .expect("all at once")
                .carry();
            // Each record in a call of its own, as an agent sends them that has no more yet.
            engines.purge_domain(wish.domain);
            let (engine, hello) = engines.begin(wish).expect("a ClientHello");
            let done = go_on(engine, hello, server.connect(), |engine, flight| {
                one_by_one(engine, flight, &card)
            });
            done.expect("one by one").carry();
        }
    }
}

fn one_by_one(engine: crate::engine::Engine, flight: &[u8], card: &SoftCard) -> EngineStep {
    let mut step = EngineStep::AwaitServer {
        engine,
        out: Vec::new(),
    };
    for record in Record::decode_all(flight).expect("whole records") {
        step = match step {
            EngineStep::AwaitServer { engine, out } => {
                match engine.on_records(record.bytes(), card.door()) {
                    EngineStep::AwaitServer { engine, out: more } => EngineStep::AwaitServer {
                        engine,
                        out: [out, more].concat(),
                    },
                    ended => ended,
                }
            }
            // What follows belongs to the record layer.
            ended => ended,
        };
    }
    step
}

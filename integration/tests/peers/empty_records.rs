//! A server that sends records without content.

use domu_agent::client::Ending;
use integration::payload::payload;
use integration::pki::KeyKind::P256;

use crate::door::DOORS;
use crate::misbehaving::World;
use crate::outcome::Outcome;

const VERSIONS: [&str; 2] = ["1.2", "1.3"];

#[test]
fn up_to_32_in_a_row_are_nothing() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    for version in VERSIONS {
        let peer = world.server(version, "empty-records=32");
        for door in &DOORS {
            let mut session = door.ask(chain, peer.port(), P256).expect("a session");
            for length in [100, 200] {
                session.send(&payload(length));
                assert_eq!(session.read(length), payload(length));
            }
            session.close();
        }
    }
}

#[test]
fn one_more_ends_the_connection() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    for version in VERSIONS {
        let peer = world.server(version, "empty-records=33");
        for (number, door) in DOORS.iter().enumerate() {
            let session = door.ask(chain, peer.port(), P256).expect("a session");
            let outcome = Outcome::of_use(door, chain, session);
            let message = "record layer: more than 32 empty records in a row";
            assert_eq!(outcome, Outcome::ended(Ending::BadRecord, message));
            assert_eq!(peer.line("closed", number), "by alert unexpected_message");
        }
    }
    for door in &DOORS {
        world.expect_free(door);
    }
}

/// RFC 5246 §6.2.1 and RFC 8446 §5.1 forbid it.
#[test]
fn none_may_be_in_a_handshake() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    let message = "server flight: expected ServerHello, got an empty record of type handshake";
    for version in VERSIONS {
        let peer = world.server(version, "empty-handshake");
        for door in &DOORS {
            let outcome = Outcome::of(door, chain, door.ask(chain, peer.port(), P256));
            assert_eq!(outcome, Outcome::handshake_failed(message));
        }
    }
    let refused = chain.audited("session-refused");
    assert!(refused.len() >= DOORS.len(), "{refused:?}");
    for record in &refused {
        assert_eq!(record["reason"], message, "{record}");
    }
    for door in &DOORS {
        world.expect_free(door);
    }
}

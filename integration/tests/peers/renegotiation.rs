//! A server that asks for a new handshake within a connection (TLS 1.2). Nobody ever renegotiates.

use domu_agent::client::Ending;
use integration::payload::payload;
use integration::pki::KeyKind::P256;

use crate::door::DOORS;
use crate::misbehaving::World;
use crate::outcome::Outcome;

#[test]
fn a_request_is_declined_and_the_connection_goes_on() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    let peer = world.server("1.2", "hello-requests=4");
    for (number, door) in DOORS.iter().enumerate() {
        let mut session = door.ask(chain, peer.port(), P256).expect("a session");
        for length in [100, 200] {
            session.send(&payload(length));
            assert_eq!(session.read(length), payload(length));
        }
        session.close();
        assert_eq!(peer.line("closed", number), "in order");
        // One no answers all that came at once.
        let declined: u32 = peer.line("declined", number).parse().expect("a number");
        assert!((2..=8).contains(&declined), "{declined}");
    }
    assert_eq!(chain.audited("session-opened").len(), DOORS.len());
}

#[test]
fn a_server_that_insists_loses_the_connection() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    let peer = world.server("1.2", "hello-requests=5");
    for (number, door) in DOORS.iter().enumerate() {
        let session = door.ask(chain, peer.port(), P256).expect("a session");
        let outcome = Outcome::of_use(door, chain, session);
        let message = "record layer: more than 4 HelloRequests in a row";
        assert_eq!(outcome, Outcome::ended(Ending::BadRecord, message));
        assert_eq!(peer.line("closed", number), "by alert unexpected_message");
        world.expect_free(door);
    }
}

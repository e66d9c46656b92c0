//! A server that changes its key again and again (TLS 1.3).

use domu_agent::client::Ending;
use integration::payload::payload;
use integration::pki::KeyKind::P256;

use crate::door::DOORS;
use crate::misbehaving::World;
use crate::outcome::Outcome;

#[test]
fn bursts_of_32_are_followed_and_answered_where_asked_for() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    let peer = world.server("1.3", "key-updates=32");
    for (number, door) in DOORS.iter().enumerate() {
        let mut session = door.ask(chain, peer.port(), P256).expect("a session");
        // Data between them makes it a new burst; what we send is under our next key each time.
        for length in [100, 200, 300] {
            session.send(&payload(length));
            assert_eq!(session.read(length), payload(length));
        }
        session.close();
        assert_eq!(peer.line("closed", number), "in order");
        // One answer is enough for all that came at once.
        let answered: u32 = peer.line("answered", number).parse().expect("a number");
        assert!((3..=3 * 16).contains(&answered), "{answered}");
    }
}

#[test]
fn one_more_in_a_row_ends_the_connection() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    let peer = world.server("1.3", "key-updates=33");
    for (number, door) in DOORS.iter().enumerate() {
        let session = door.ask(chain, peer.port(), P256).expect("a session");
        let outcome = Outcome::of_use(door, chain, session);
        let message = "record layer: more than 32 KeyUpdates in a row";
        assert_eq!(outcome, Outcome::ended(Ending::BadRecord, message));
        assert_eq!(peer.line("closed", number), "by alert unexpected_message");
        world.expect_free(door);
    }
}

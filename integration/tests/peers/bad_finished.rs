//! A server whose Finished is wrong: somebody was in between, and no key may leave dom0.

use integration::pki::KeyKind::P256;

use crate::door::DOORS;
use crate::misbehaving::World;
use crate::outcome::Outcome;

#[test]
fn a_wrong_finished_ends_the_handshake_without_a_key() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    let engine = "the server's Finished is wrong, or a record was changed on its way";
    let said = [
        [
            "the card refused the last server flight",
            "the card refused the server record",
        ],
        [engine, engine],
    ];
    for (door, said) in DOORS.iter().zip(said) {
        for (version, message) in ["1.2", "1.3"].into_iter().zip(said) {
            let peer = world.server(version, "bad-finished");
            let outcome = Outcome::of(door, chain, door.ask(chain, peer.port(), P256));
            assert_eq!(outcome, Outcome::handshake_failed(message), "{version}");
            assert!(chain.audited("session-established").is_empty());
            // In TLS 1.2 the server's Finished is the last one: to the server all was well.
            let told = if version == "1.2" { "closed" } else { "failed" };
            assert_ne!(peer.line(told, 0), "in order");
        }
    }
    for door in &DOORS {
        world.expect_free(door);
    }
}

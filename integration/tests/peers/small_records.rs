//! A server whose records hold 60 bytes at most, in the handshake and after.

use integration::pki::KeyKind::Rsa2048;

use crate::door;
use crate::misbehaving::World;

#[test]
fn records_of_60_bytes_are_put_together() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    for (door, version) in door::each(["1.2", "1.3"]) {
        let peer = world.server(version, "small-records=60");
        let made = door.converse(chain, peer.port(), Rsa2048);
        assert!(!made.abbreviated);
        let client = peer.report(0).client;
        assert_eq!(client, Some(door.certificate(chain, Rsa2048)));
        if version == "1.2" {
            assert!(door.converse(chain, peer.port(), Rsa2048).abbreviated);
        } else if door.resumes_tls13 {
            door.converse_until_resumed(chain, peer.port(), Rsa2048);
        }
    }
}

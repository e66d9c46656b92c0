//! A server whose tickets come in two records.

use integration::pki::KeyKind::P256;

use crate::door;
use crate::misbehaving::World;

#[test]
fn a_ticket_over_two_records_is_put_together_and_used() {
    let Some(world) = World::start() else {
        return;
    };
    let chain = &world.chain;
    for (door, version) in door::each(["1.2", "1.3"]) {
        let peer = world.server(version, "split-tickets");
        assert!(!door.converse(chain, peer.port(), P256).abbreviated);
        // Bytes of the ticket, and of its first record.
        let said = peer.line("split", 0);
        let sizes: Vec<usize> = said.split(' ').map(|n| n.parse().expect("bytes")).collect();
        assert!(sizes[1] < sizes[0] && 2 * sizes[1] >= sizes[0], "{said}");
        if version == "1.2" {
            assert!(door.converse(chain, peer.port(), P256).abbreviated);
        } else if door.resumes_tls13 {
            door.converse_until_resumed(chain, peer.port(), P256);
        } else {
            assert!(!door.converse(chain, peer.port(), P256).abbreviated);
        }
    }
}

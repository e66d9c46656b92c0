//! Two domains on one card: neither has anything of the other.

use integration::rogue_guest::{Answer, RogueGuest, open};
use proto::agent::{AgentMessage, Dom0Message, Open};
use proto::id::SessionId;

use crate::NAME;
use crate::world::World;

/// A good `open` that wants this identity.
fn open_as(session: u32, identity: &str) -> AgentMessage {
    match open(session, NAME) {
        AgentMessage::Open(open) => AgentMessage::Open(Open {
            identity: Some(identity.to_owned()),
            ..open
        }),
        other => other,
    }
}

#[test]
fn the_other_identity_is_neither_listed_nor_to_be_told_from_one_that_does_not_exist() {
    let world = World::start(&[], &[]);
    let mut rogue = RogueGuest::admitted(&world.chain.door("rogue"));
    rogue.send(&AgentMessage::Identities);
    let listed = rogue.receive();
    let Some(Dom0Message::Identities(list)) = listed else {
        panic!("no list: {listed:?}");
    };
    let names: Vec<_> = list.iter().map(|identity| identity.name.as_str()).collect();
    assert_eq!(names, ["rogue"]);

    let answers = [(1, "neighbour"), (2, "nobody")].map(|(session, identity)| {
        rogue.send(&open_as(session, identity));
        match rogue.answer() {
            Answer::Session(SessionId(got), code, line) => {
                assert_eq!(got, session);
                (code, line)
            }
            other => panic!("{identity}: {other:?}"),
        }
    });
    let [neighbour, nobody] = answers;
    assert_eq!(neighbour, nobody, "the two cannot be told apart");
    assert!(!neighbour.1.contains("neighbour"), "{}", neighbour.1);
    world.exchange("neighbour", "afterwards");
    world.finish();
}

#[test]
fn the_other_domains_session_is_never_resumed() {
    let world = World::start(&[], &[]);
    let server = integration::openssl::OpensslServer::start(
        &world.pki,
        &integration::openssl::ServerPlan::new(&world.credential),
    );
    let connect = |guest: &str| {
        let session = world.chain.guest(guest).connect(server.port(), NAME);
        let session = session.expect("a session");
        let abbreviated = session.established.abbreviated;
        session.close();
        abbreviated
    };
    assert!(!connect("neighbour"));
    assert!(connect("neighbour"), "the card does resume");
    assert!(!connect("rogue"), "but never for another");
    assert!(!connect("neighbour"), "and what it had is gone");
    world.finish();
}

#[test]
fn ten_thousand_sessions_of_one_are_one_wait_for_the_other() {
    const FLOOD: u32 = 10_000;
    let world = World::start(&[], &[]);
    let made = || world.chain.audited("session-established").len();
    let before = made();
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut rogue = RogueGuest::admitted(&world.chain.door("rogue"));
            let mut refused = 0;
            for session in 0..FLOOD {
                rogue.send(&open(session, NAME));
                // It reads what it is told, so that it is not cut off for that.
                if session % 64 == 63 {
                    while refused + 256 + 64 < session {
                        match rogue.answer() {
                            Answer::Session(..) => refused += 1,
                            other => panic!("{other:?}"),
                        }
                    }
                }
            }
            refused
        });
        world.exchange("neighbour", "in the flood");
        world.exchange("stranger", "in the flood");
        let refused = flood.join().expect("no panic");
        assert!(refused > FLOOD - 400, "only {refused} were refused");
    });
    assert_eq!(made(), before + 2, "the flood got nothing");
    world.finish();
}

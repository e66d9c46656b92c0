//! A guest that breaks the rules of its channel.

use integration::rogue_guest::{Answer, RogueGuest, close, open, server_records};
use proto::agent::{AgentMessage, Dom0Message, RefusalCode, encode_frame};
use proto::id::SessionId;

use crate::NAME;
use crate::world::World;

use RefusalCode::{HandshakeFailed, Limit, Protocol, Timeout};

/// Short enough for a test, long enough for honest guests on a busy machine.
const LIMITS: [(&str, u64); 5] = [
    ("hello_ms", 2_000),
    ("ping_after_ms", 1_000),
    ("ping_answer_ms", 1_000),
    ("peer_wait_ms", 1_500),
    ("peer_wait_alone_ms", 1_500),
];

#[test]
fn what_is_no_message_ends_the_connection_of_its_sender_alone() {
    let world = World::start(&LIMITS, &[]);
    let channel = world.chain.door("rogue");
    let frame = |body: &[u8]| encode_frame(body).expect("short enough").to_vec();
    let too_long = 65_537_u32.to_be_bytes().to_vec();
    let cases: [(&str, Vec<u8>, &str); 11] = [
        ("a frame too long", too_long, "frame of 65537 bytes"),
        ("4 GiB", vec![0xFF; 300], "frame of 4294967295 bytes"),
        ("a frame of nothing", vec![0; 4], "frame without a body"),
        ("no CBOR", frame(b"\xFF\x00\xFF"), ""),
        ("a thousand arrays in each other", frame(&nested(1_000)), ""),
        (
            "an array of 2^64-1",
            frame(&[b"\xA1aa\x9B".as_slice(), &[0xFF; 8]].concat()),
            "",
        ),
        ("a text of 2^63", frame(b"\xA1aa\x7B\x80\0\0\0\0\0\0\0"), ""),
        ("a map of 2^32-1", frame(b"\xBA\xFF\xFF\xFF\xFFaa\x01"), ""),
        ("a key twice", frame(b"\xA2dtypedpingdtypedpong"), ""),
        ("no end", frame(b"\xBFdtypedping\xFF"), ""),
        (
            "60,000 values",
            frame(&[b"\xA1aa\x99\xEA\x60".as_slice(), &[0; 60_000]].concat()),
            "",
        ),
    ];
    world.undisturbed("no messages", || {
        for is_admitted in [false, true] {
            for (what, bytes, line) in &cases {
                let mut rogue = match is_admitted {
                    false => RogueGuest::connect(&channel),
                    true => RogueGuest::admitted(&channel),
                };
                rogue.send_bytes(bytes).expect("dom0 reads");
                match rogue.answer() {
                    Answer::Connection(Protocol, said) => {
                        assert!(said.contains(line), "{what}: {said}");
                    }
                    other => panic!("{what}: {other:?}"),
                }
                assert_eq!(rogue.answer(), Answer::End, "{what}");
            }
        }
    });
    world.finish();
}

/// A map with arrays in each other as its value.
fn nested(depth: usize) -> Vec<u8> {
    [b"\xA1aa".as_slice(), &vec![0x81; depth], b"\x00"].concat()
}

#[test]
fn half_a_frame_and_then_silence_is_given_up() {
    let world = World::start(&LIMITS, &[]);
    let channel = world.chain.door("rogue");
    world.undisturbed("half a frame", || {
        let mut early = RogueGuest::connect(&channel);
        early.send_bytes(&[0, 0, 1]).expect("dom0 reads");
        let mut late = RogueGuest::admitted(&channel);
        late.send_bytes(&[0, 0, 1, 0, 0xA2, 0x64])
            .expect("dom0 reads");

        let no = Answer::Connection(Timeout, "no hello in time".to_owned());
        assert_eq!(early.answer(), no);
        assert_eq!(early.answer(), Answer::End);
        assert_eq!(
            late.receive(),
            Some(Dom0Message::Ping),
            "asked for a sign of life"
        );
        assert_eq!(late.receive(), None, "and given up");
    });
    world.finish();
}

#[test]
fn what_is_said_at_the_wrong_time_ends_what_it_belongs_to() {
    let world = World::start(&LIMITS, &[]);
    let channel = world.chain.door("rogue");
    let no = |session, line: &str| Answer::Session(SessionId(session), Protocol, line.to_owned());
    world.undisturbed("the wrong time", || {
        for first in [open(1, NAME), AgentMessage::Identities, AgentMessage::Ping] {
            let mut rogue = RogueGuest::connect(&channel);
            rogue.send(&first);
            let early = "message before welcome".to_owned();
            assert_eq!(
                rogue.answer(),
                Answer::Connection(Protocol, early),
                "{first:?}"
            );
            assert_eq!(rogue.answer(), Answer::End);
        }

        let mut rogue = RogueGuest::admitted(&channel);
        let sing = |rest: &[u8]| encode_frame(&[rest, b"dtypedsing"].concat()).expect("short");
        rogue.send_bytes(&sing(b"\xA1")).expect("dom0 reads");
        rogue
            .send_bytes(&sing(b"\xA2gsession\x07"))
            .expect("dom0 reads");
        match rogue.answer() {
            Answer::Session(SessionId(7), Protocol, _) => {}
            other => panic!("an unknown message of session 7: {other:?}"),
        }

        rogue.start_handshake(1, NAME);
        rogue.send(&open(1, NAME));
        assert_eq!(rogue.answer(), no(1, "session number used twice"));
        rogue.send(&open(1, NAME));
        assert_eq!(
            rogue.answer(),
            no(1, "session number used twice"),
            "not after its end"
        );

        rogue.start_handshake(2, NAME);
        rogue.send(&close(2));
        rogue.send(&server_records(2, &record(22, b"\x02\x00\x00\x00")));
        rogue.send(&server_records(3, &record(22, b"\x02\x00\x00\x00")));
        let never = no(3, "no such session");
        assert_eq!(
            rogue.answer(),
            never,
            "and nothing about 2, which was closed"
        );

        rogue.say_hello();
        let renewed = rogue.receive();
        assert!(
            matches!(renewed, Some(Dom0Message::Welcome(_))),
            "it stands: {renewed:?}"
        );
    });
    world.finish();
}

#[test]
fn bytes_that_are_no_handshake_end_it_and_free_the_card() {
    let world = World::start(&LIMITS, &[]);
    let channel = world.chain.door("rogue");
    // The head of a ServerHello of 300 KiB; and one of 200 KB in records so small that with their
    // headers they are 300 KB.
    let claim = record(22, &[0x02, 0x04, 0xB0, 0x00]);
    let small = record(22, &[0x42; 10]).repeat(4_000);
    let endless = [vec![record(22, &[0x02, 0x03, 0x0D, 0x40])], vec![small; 5]].concat();
    let cases = [
        (
            "HTTP",
            vec![b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec()],
            HandshakeFailed,
        ),
        (
            "a record too long",
            vec![vec![22, 3, 3, 0xFF, 0xFF, 0]],
            HandshakeFailed,
        ),
        (
            "application data",
            vec![record(23, b"hello")],
            HandshakeFailed,
        ),
        ("half a record", vec![vec![22, 3, 3, 0, 50, 2]], Timeout),
        ("nothing", Vec::new(), Timeout),
        ("300 KiB in one message", vec![claim], HandshakeFailed),
        ("300 KB in small records", endless, Limit),
    ];
    world.undisturbed("no handshake", || {
        let mut rogue = RogueGuest::admitted(&channel);
        for (session, (what, records, code)) in (1..).zip(&cases) {
            rogue.start_handshake(session, NAME);
            for data in records {
                rogue.send(&server_records(session, data));
            }
            match rogue.answer() {
                Answer::Session(SessionId(number), got, line) => {
                    assert_eq!((number, got), (session, *code), "{what}: {line}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
    });
    world.finish();
}

/// One record of TLS 1.2.
fn record(content_type: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a record");
    let [high, low] = length.to_be_bytes();
    [&[content_type, 3, 3, high, low], payload].concat()
}

#[test]
fn the_257th_handshake_is_refused_and_its_place_is_given_back() {
    let limits = [LIMITS.as_slice(), &[("queue_per_card", 300)]].concat();
    let world = World::start(&limits, &[]);
    let channel = world.chain.door("rogue");
    world.undisturbed("257 handshakes", || {
        let mut rogue = RogueGuest::admitted(&channel);
        for session in 1..=257 {
            rogue.send(&open(session, NAME));
        }
        let many = || "too many handshakes at once".to_owned();
        assert_eq!(
            rogue.answer(),
            Answer::Session(SessionId(257), Limit, many())
        );
        rogue.send(&close(256));
        rogue.send(&open(258, NAME));
        rogue.send(&open(259, NAME));
        assert_eq!(
            rogue.answer(),
            Answer::Session(SessionId(259), Limit, many())
        );
    });
    world.finish();
}

#[test]
fn a_flood_of_opens_fills_no_place_but_its_own() {
    const FLOOD: u32 = 3_000;
    let world = World::start(&LIMITS, &[]);
    let channel = world.chain.door("rogue");
    world.undisturbed("a flood", || {
        let mut rogue = RogueGuest::admitted(&channel);
        for session in 1..=FLOOD {
            rogue.send(&open(session, NAME));
        }
        // The queue of the card has 64 places, and one handshake is with it.
        for _ in 65..FLOOD {
            match rogue.answer() {
                Answer::Session(_, Limit | Timeout, _) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    world.finish();
}

#[test]
fn a_guest_that_vanishes_leaves_the_card_to_the_next() {
    let world = World::start(&LIMITS, &[]);
    let channel = world.chain.door("rogue");
    world.undisturbed("vanishing", || {
        for round in 0..10 {
            let mut rogue = RogueGuest::admitted(&channel);
            if round % 2 == 0 {
                for session in 1..=5 {
                    rogue.send(&open(session, NAME));
                }
            } else {
                rogue.start_handshake(6, NAME);
                rogue.send(&server_records(6, &[22, 3, 3, 0, 50, 2]));
            }
        }
    });
    world.finish();
}

#[test]
fn a_guest_that_never_reads_is_cut_off() {
    /// What may wait for it, in dom0 and in the socket, is far less than the answers to so many.
    const QUESTIONS: usize = 200_000;
    let world = World::start(&LIMITS, &[]);
    let channel = world.chain.door("rogue");
    world.undisturbed("not reading", || {
        let mut silent = RogueGuest::admitted(&channel);
        silent.start_handshake(1, NAME);
        let mut asking = RogueGuest::admitted(&channel);
        let question = encode_frame(&AgentMessage::Identities.encode()).expect("short enough");
        let asked = (0..QUESTIONS).take_while(|_| asking.send_bytes(&question).is_ok());
        assert!(asked.count() < QUESTIONS, "it takes questions for ever");
        let _silent = silent.into_silence();
    });
    world.finish();
}

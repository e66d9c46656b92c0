//! The transcripts of specs/racs.md §16, with the draft's answer where it differs.

use super::world::{User, World};

const CARDS: [&str; 12] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "alpha", "beta", "999",
];

/// Plays lines that begin with `C:` and compares with those that begin with `S:`. Of texts that
/// nobody reads, `...` stands for any.
fn play(transcript: &str) {
    let mut world = World::with_cards(&CARDS);
    let mut user = User::of("client", &CARDS);
    replay(&mut world, &mut user, transcript);
}

fn replay(world: &mut World, user: &mut User, transcript: &str) {
    let mut came: Vec<String> = Vec::new();
    for line in transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        match line.split_at(2) {
            ("C:", line) => came.extend(world.ask(user, &[line])),
            ("S:", expected) => {
                let expected = expected.trim();
                assert!(!came.is_empty(), "nothing came where {expected:?} should");
                let got = came.remove(0);
                match expected.strip_suffix("...") {
                    Some(start) => assert!(got.starts_with(start), "{got:?}, not {expected:?}"),
                    None => assert_eq!(got, expected),
                }
            }
            _ => panic!("{line}"),
        }
    }
    assert_eq!(came, [""; 0], "more came than was expected");
}

#[test]
fn versions_list_and_power() {
    play(
        "C: BEGIN
         C: END
         S: BEGIN
         S: +001 000 No error
         S: END
         C: BEGIN Marignan1515
         C: GET-VERSION
         C: END
         S: BEGIN Marignan1515
         S: +002 001 0.3
         S: END
         C: BEGIN
         C: LIST
         C: END
         S: BEGIN
         S: +004 001 0 1 2 3 4 5 6 7 8 999 alpha beta
         S: END
         C: BEGIN
         C: POWERON 0
         C: END
         S: BEGIN
         S: +008 001 SEID 0 has been powered on
         S: END
         C: BEGIN
         C: POWERON 0
         C: END
         S: BEGIN
         S: +008 001 SEID 0 was already powered...
         S: END",
    );
}

/// Published servers refuse an APDU before SELECT by AID; the drafts know nothing of that.
#[test]
fn batches_with_and_without_append() {
    play(
        "C: BEGIN
         C: APDU 0 0012000002
         C: END
         S: BEGIN
         S: +006 001 6D00
         S: END
         C: BEGIN
         C: APDU 0 00A4040005A000000001
         C: END
         S: BEGIN
         S: +006 001 9000
         S: END
         C: BEGIN SanchoPanza
         C: APDU 0 0010000001AA
         C: APDU 0 0010000001BB
         C: END
         S: BEGIN SanchoPanza
         S: +006 002 BB9000
         S: END
         C: BEGIN DonQuichotte
         C: APDU 0 0010000001AA APPEND
         C: APDU 0 0010000001BB APPEND
         C: END
         S: BEGIN DonQuichotte
         S: +006 001 AA9000
         S: +006 002 BB9000
         S: END
         C: BEGIN
         C: ECHO a APPEND
         C: ECHO b
         C: ECHO c
         C: END
         S: BEGIN
         S: +009 001 a
         S: +009 003 c
         S: END",
    );
}

#[test]
fn continue_more_and_wrong_lengths() {
    play(
        "C: BEGIN c2
         C: APDU 0 0010000001AA APPEND
         C: APDU 0 0018698200 CONTINUE=9000
         S: BEGIN c2
         S: -006 002 ...
         S: END
         C: APDU 0 0010000001BB
         C: END
         C: BEGIN m
         C: APDU 0 00140010
         C: END
         S: BEGIN m
         S: +006 001 6110
         S: END
         C: BEGIN m
         C: APDU 0 00140010 MORE=61
         C: END
         S: BEGIN m
         S: +006 001 000102030405060708090A0B0C0D0E0F9000
         S: END
         C: BEGIN m
         C: APDU 0 00140010 FETCH=00C00000 CONTINUE=9000 MORE=61
         C: END
         S: BEGIN m
         S: +006 001 000102030405060708090A0B0C0D0E0F9000
         S: END
         C: BEGIN 6c
         C: APDU 0 0016000000
         C: END
         S: BEGIN 6c
         S: +006 001 01020304050607089000
         S: END
         C: BEGIN 6c
         C: APDU 0 00160000
         C: END
         S: BEGIN 6c
         S: +006 001 6C08
         S: END
         C: BEGIN not-an-error
         C: APDU 0 00186982
         C: ECHO x
         C: END
         S: BEGIN not-an-error
         S: +009 002 x
         S: END",
    );
}

#[test]
fn two_sessions_want_one_element() {
    let mut world = World::with_cards(&CARDS);
    let mut guest = User::of("guest", &["beta"]);
    let mut client = User::of("client", &CARDS);
    replay(
        &mut world,
        &mut guest,
        "C: BEGIN
         C: LIST
         C: END
         S: BEGIN
         S: +004 001 beta
         S: END
         C: BEGIN
         C: POWERON 0
         C: END
         S: BEGIN
         S: -408 001 invalid SEID
         S: END
         C: BEGIN
         C: POWERON beta
         C: APDU beta 00A4040001AA
         C: END
         S: BEGIN
         S: +006 002 9000
         S: END",
    );
    // Published servers let SHUTDOWN take it away.
    for (command, code) in [
        ("POWERON beta", "-708 001"),
        ("RESET beta", "-705 001"),
        ("APDU beta 00A40400", "-706 001"),
        ("SHUTDOWN beta", "-707 001"),
    ] {
        assert_eq!(world.status(&mut client, &[command]), code, "{command}");
    }
    let select = ["APDU beta 00A4040001AA"];
    assert_eq!(world.status(&mut guest, &select), "+006 001");
    world.release("guest");
    assert_eq!(world.status(&mut client, &["POWERON beta"]), "+008 001");
}

/// Each on a new connection; published servers answer an unknown command with -900 and close.
#[test]
fn fatal_and_other_mistakes() {
    let long = format!(
        "C: BEGIN {}\nS: BEGIN\nS: -302 000 ...\nS: END",
        "x".repeat(65)
    );
    let cases = [
        ("C: FOO\nS: BEGIN\nS: -300 000 ...\nS: END", true),
        (
            "C: BEGIN a\nC: BEGIN b\nS: BEGIN a\nS: -301 001 ...\nS: END",
            true,
        ),
        (&long, true),
        (
            "C: BEGIN x\nC: QUIT\nC: ECHO y\nC: END\nS: BEGIN x\nS: +009 002 y\nS: END",
            true,
        ),
        (
            "C: BEGIN x\nC: QUIT\nC: END\nS: BEGIN x\nS: +012 001 QUIT\nS: END",
            true,
        ),
        (
            "C: BEGIN\nC: FOO bar\nS: BEGIN\nS: -100 001 ...\nS: END",
            false,
        ),
        (
            "C: BEGIN\nC: SET-VERSION 2.0\nS: BEGIN\nS: -403 001 ...\nS: END",
            false,
        ),
        (
            "C: BEGIN\nC: RESET\nS: BEGIN\nS: -505 001 ...\nS: END",
            false,
        ),
        (
            "C: BEGIN\nC: APDU 0\nS: BEGIN\nS: -506 001 ...\nS: END",
            false,
        ),
        (
            "C: BEGIN\nC: APDU 0 ZZ\nS: BEGIN\nS: -506 001 ...\nS: END",
            false,
        ),
        (
            "C: BEGIN\nC: APDU nope 00A40400\nS: BEGIN\nS: -406 001 ...\nS: END",
            false,
        ),
    ];
    for (transcript, closes) in cases {
        let mut world = World::with_cards(&CARDS);
        let mut user = User::of("client", &CARDS);
        replay(&mut world, &mut user, transcript);
        assert_eq!(user.closed, closes, "{transcript}");
        if closes {
            assert_eq!(world.ask(&mut user, &["BEGIN", "END"]), [""; 0]);
        } else {
            assert_eq!(world.ask(&mut user, &["LIST", "BEGIN", "END"]), [""; 0]);
            assert_eq!(
                world.status(&mut user, &["ECHO x"]),
                "+009 001",
                "{transcript}"
            );
        }
    }
}

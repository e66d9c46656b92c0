//! However much a client sends.

use proto::racs::{MAX_LINE, MAX_RESPONSE};

use super::world::{User, World};

fn alone() -> (World, User) {
    (World::with_cards(&["0"]), User::of("client", &["0"]))
}

#[test]
fn ten_thousand_commands_are_one_request() {
    let (mut world, mut user) = alone();
    assert_eq!(world.drive(&mut user, b"BEGIN\r\n"), b"");
    for _ in 0..10_000 {
        assert_eq!(world.drive(&mut user, b"APDU 0 0010000001AA\r\n"), b"");
        world.orders.clear();
    }
    let answer = world.drive(&mut user, b"END\r\n");
    assert_eq!(answer, b"BEGIN\r\n+006 10000 AA9000\r\nEND\r\n");
}

#[test]
fn a_response_that_is_full_breaks_the_request_off() {
    let (mut world, mut user) = alone();
    let line = format!("APDU 0 00100000FF{} APPEND", "AA".repeat(255));
    let mut lines = vec!["BEGIN"];
    lines.extend([line.as_str(); 13]);
    lines.push("END");
    let answer = world.ask(&mut user, &lines);
    assert_eq!(answer.len(), 15, "what published servers have room for");

    let mut lines = vec!["BEGIN x"];
    lines.extend([line.as_str(); 200]);
    lines.push("END");
    let answer = world.ask(&mut user, &lines);
    let [begin, status, end] = answer.as_slice() else {
        panic!("{} lines", answer.len());
    };
    assert_eq!((begin.as_str(), end.as_str()), ("BEGIN x", "END"));
    assert!(status.starts_with("-006 125 "), "{status}");
    assert_eq!(world.transmitted(), 13 + 125, "nothing was sent behind it");
    // The session goes on.
    assert_eq!(world.status(&mut user, &["ECHO x"]), "+009 001");
}

#[test]
fn an_answer_longer_than_a_response_is_told_of() {
    let (mut world, mut user) = alone();
    let most = MAX_RESPONSE / 2 - 100;
    let fits = format!("APDU 0 0014{most:04X} MORE=61");
    let answer = world.ask(&mut user, &["BEGIN", &fits, "END"]);
    assert!(
        answer[1].starts_with("+006 001 000102"),
        "{}",
        answer[1].len()
    );
    assert_eq!(answer[1].len(), "+006 001 9000".len() + 2 * most);
    let lines = ["APDU 0 0014FFFF MORE=61"];
    assert_eq!(world.status(&mut user, &lines), "-006 001");
}

#[test]
fn a_line_without_end_ends_the_session() {
    for (before, code) in [(&b""[..], "-300 000"), (b"BEGIN\r\nECHO a\r\n", "-300 002")] {
        let (mut world, mut user) = alone();
        world.drive(&mut user, before);
        let mut came = Vec::new();
        for _ in 0..=MAX_LINE {
            came.extend(world.drive(&mut user, b"A"));
        }
        let expected = format!("BEGIN\r\n{code} a line without end\r\nEND\r\n");
        assert_eq!(String::from_utf8(came), Ok(expected));
        assert!(user.closed);
    }
    // A request that was answered gets no second answer.
    let (mut world, mut user) = alone();
    assert!(!world.drive(&mut user, b"BEGIN\r\nFOO\r\n").is_empty());
    assert_eq!(world.drive(&mut user, &vec![b'A'; MAX_LINE + 1]), b"");
    assert!(user.closed);
}

#[test]
fn the_longest_line_is_a_line() {
    let (mut world, mut user) = alone();
    // With its CR.
    let spaces = " ".repeat(MAX_LINE - "ECHOx\r".len());
    let line = format!("ECHO{spaces}x");
    assert_eq!(world.status(&mut user, &[&line]), "+009 001");
    let answer = world.ask(&mut user, &["BEGIN", &format!("{line} ")]);
    assert!(answer[1].starts_with("-300 001"), "{answer:?}");
}

#[test]
fn an_empty_line_is_no_command() {
    let (mut world, mut user) = alone();
    assert_eq!(world.status(&mut user, &["", "ECHO x"]), "-100 001");
    let answer = world.ask(&mut user, &[""]);
    assert!(answer[1].starts_with("-300 000"), "{answer:?}");
    assert!(user.closed);
}

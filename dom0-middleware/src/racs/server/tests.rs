//! The server over real sockets, with cards in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::testing::{FAIL, LEAVE, PANIC, TestServer, User, WAIT, authority, credential, until};
use crate::audit::{AuditEvent, RacsRefusedFor};

fn apdu(ins: u8) -> String {
    format!("APDU se-00 00{ins:02X}000001AA")
}

#[test]
fn a_card_is_one_users_until_the_user_leaves() {
    let server = TestServer::start(&["se-00", "se-01"], |_| {});
    let (mut one, mut two) = (server.user("one"), server.user("two"));
    assert_eq!(one.ask(&["LIST"]), ["+004 001 se-00 se-01"]);
    assert_eq!(one.status("POWERON se-00"), "+008 001");
    assert!(one.ask(&["POWERON se-00"])[0].contains("already"));
    assert_eq!(one.ask(&[&apdu(0x10)]), ["+006 001 AA9000"]);
    for line in [
        "POWERON se-00",
        "RESET se-00",
        "SHUTDOWN se-00",
        &apdu(0x10),
    ] {
        assert!(two.status(line).starts_with("-70"), "{line}");
    }
    assert_eq!(two.status("POWERON se-01"), "+008 001");
    let views = server.census.views();
    let held: Vec<&str> = views
        .iter()
        .map(|view| view.holds[0].seid.as_str())
        .collect();
    assert_eq!(held, ["se-00", "se-01"]);
    // Without a word of goodbye.
    drop(one.0.sock.socket.shutdown(std::net::Shutdown::Both));
    until("the card is free", || !server.grid.is_lent("se-00"));
    assert_eq!(two.status("POWERON se-00"), "+008 001");
    two.0.conn.send_close_notify();
    drop(two.0.flush());
    until("both are gone", || server.census.is_empty());
    assert!(!server.grid.is_lent("se-00") && !server.grid.is_lent("se-01"));
    let audit = server.audit();
    let connected = |event: &&AuditEvent| matches!(event, AuditEvent::RacsConnected(_));
    assert_eq!(audit.iter().filter(connected).count(), 2);
    until("that they left is on record", || {
        let audit = server.audit();
        let closed = |event: &&AuditEvent| matches!(event, AuditEvent::RacsClosed(_));
        audit.iter().filter(closed).count() == 2
    });
}

#[test]
fn a_response_is_one_record_however_the_request_was_cut() {
    let server = TestServer::start(&["se-00"], |_| {});
    let mut user = server.user("one");
    user.ask(&["POWERON se-00"]);
    let request = format!(
        "BEGIN cut\r\n{} APPEND\r\n{}\r\nEND\r\n",
        apdu(0x10),
        apdu(0x11)
    );
    let whole = "BEGIN cut\r\n+006 001 AA9000\r\n+006 002 AA9000\r\nEND\r\n";
    for at in 1..request.len() {
        let before = user.data_records();
        let (first, second) = request.as_bytes().split_at(at);
        user.send(first).expect("it listens");
        user.send(second).expect("it listens");
        assert_eq!(user.response().expect("a response"), whole, "cut at {at}");
        assert_eq!(user.data_records(), before + 1);
    }
    for byte in request.as_bytes() {
        user.send(&[*byte]).expect("it listens");
    }
    assert_eq!(user.response().expect("a response"), whole);
}

#[test]
fn ten_thousand_commands_are_one_response() {
    let server = TestServer::start(&["se-00"], |_| {});
    let mut user = server.user("one");
    let line = format!("{}\r\n", apdu(0x10));
    let request = format!("BEGIN\r\n{}END\r\n", line.repeat(10_000));
    user.send(request.as_bytes()).expect("it listens");
    assert_eq!(
        user.response().expect("one"),
        "BEGIN\r\n+006 10000 AA9000\r\nEND\r\n"
    );
    assert_eq!(server.grid.cards().apdus, 10_000);
}

#[test]
fn a_lock_that_is_not_used_is_released_and_the_user_is_told() {
    let server = TestServer::start(&["se-00"], |settings| {
        settings.idle_lock = Duration::from_millis(40);
    });
    let mut user = server.user("one");
    user.ask(&["POWERON se-00"]);
    until("the card is free", || !server.grid.is_lent("se-00"));
    let refused = &user.ask(&[&apdu(0x10)])[0];
    assert!(refused.starts_with("-706 001 powered off"), "{refused}");
    assert!(!server.grid.is_lent("se-00"), "nothing was sent");
    let powered = &user.ask(&["POWERON se-00"])[0];
    assert!(powered.ends_with("has been powered on"), "{powered}");
}

#[test]
fn a_card_that_is_taken_back_is_lost_once() {
    let server = TestServer::start(&["se-00"], |_| {});
    let mut user = server.user("one");
    for line in [&apdu(0x10), "RESET se-00", "RESET se-00 WARM"] {
        assert_eq!(user.status("POWERON se-00"), "+008 001");
        assert!(user.status(line).starts_with('+'));
        server.grid.recall("se-00");
        assert!(user.status(line).starts_with("-70"), "{line}");
        assert!(!server.grid.is_lent("se-00"));
        assert!(user.status(line).starts_with('+'), "taken again by {line}");
    }
    server.grid.recall("se-00");
    let powered = &user.ask(&["POWERON se-00"])[0];
    assert!(powered.ends_with("has been powered on"), "{powered}");
}

#[test]
fn a_card_that_fails_or_leaves_ends_its_command_alone() {
    let server = TestServer::start(&["se-00"], |_| {});
    let mut user = server.user("one");
    assert_eq!(user.status(&apdu(FAIL)), "-806 001");
    assert_eq!(user.status(&apdu(0x10)), "+006 001");
    assert_eq!(user.status(&apdu(LEAVE)), "-806 001");
    assert_eq!(user.status(&apdu(0x10)), "-706 001");
    assert_eq!(user.status(&apdu(0x10)), "+006 001");
}

#[test]
fn a_thread_that_dies_gives_everything_back() {
    let server = TestServer::start(&["se-00", "se-01"], |_| {});
    let mut user = server.user("one");
    user.ask(&["POWERON se-00", "POWERON se-01"]);
    user.send(format!("BEGIN\r\n{}\r\nEND\r\n", apdu(PANIC)).as_bytes())
        .expect("it listens");
    assert!(user.response().is_err());
    until("all is back", || {
        !server.grid.is_lent("se-00") && !server.grid.is_lent("se-01")
    });
    until("its place is free", || server.census.is_empty());
    let failed = |event: &AuditEvent| match event {
        AuditEvent::RacsClosed(closed) => closed.why.contains("failed"),
        _ => false,
    };
    until("it is on record", || server.audit().iter().any(failed));
    assert_eq!(server.user("two").status("POWERON se-00"), "+008 001");
}

#[test]
fn nothing_more_is_sent_for_a_user_who_has_left() {
    let server = TestServer::start(&["se-00"], |settings| settings.gone_look = Duration::ZERO);
    let mut user = server.user("one");
    let line = format!("{}\r\n", apdu(0x10));
    let request = format!("BEGIN\r\n{}\r\n{}", apdu(WAIT), line.repeat(50));
    user.send(request.as_bytes()).expect("it listens");
    until("the first APDU is under way", || {
        server.grid.cards().apdus == 1
    });
    drop(user);
    server.grid.open_gate();
    until("the card is free", || !server.grid.is_lent("se-00"));
    assert_eq!(server.grid.cards().apdus, 1);
}

#[test]
fn who_does_not_read_or_does_nothing_is_left() {
    let server = TestServer::start(&["se-00"], |settings| {
        settings.write = Duration::from_millis(50);
        settings.idle = Duration::from_millis(400);
    });
    let mut slow = server.user("one");
    slow.ask(&["POWERON se-00"]);
    // Long responses that nobody reads, until no buffer takes more.
    let echo = format!("ECHO {} APPEND\r\n", "x".repeat(60));
    let request = format!("BEGIN\r\n{}END\r\n", echo.repeat(700));
    slow.0
        .sock
        .socket
        .set_write_timeout(Some(Duration::from_millis(20)))
        .expect("a socket");
    until("the slow one is left", || {
        slow.push(request.as_bytes());
        !server.grid.is_lent("se-00")
    });
    let mut idle = server.user("two");
    idle.ask(&["POWERON se-00"]);
    // A request without end is no deed.
    until("the idle one is left", || {
        drop(idle.send(b"BEGIN\r\nECHO x\r\n"));
        !server.grid.is_lent("se-00")
    });
}

#[test]
fn a_line_without_end_ends_its_connection_with_a_word() {
    let server = TestServer::start(&[], |_| {});
    let mut user = server.user("one");
    let endless = "x".repeat(40_000);
    user.send(format!("BEGIN\r\n{endless}").as_bytes())
        .expect("it listens");
    let response = user.response().expect("why");
    assert!(response.starts_with("BEGIN\r\n-300 001 "), "{response}");
    assert_eq!(user.0.read(&mut [0; 16]).expect("close_notify"), 0);
    until("its place is free", || server.census.is_empty());
}

#[test]
fn places_are_bounded() {
    let server = TestServer::start(&[], |settings| {
        settings.max_connections = 1;
        settings.handshake = Duration::from_millis(300);
    });
    let mut one = server.user("one");
    assert_eq!(one.status("GET-VERSION"), "+002 001");
    let mut two = server.user("two");
    assert!(two.send(b"BEGIN\r\nEND\r\n").is_err() || two.response().is_err());
    // Somebody who never says who it is has a place, once the other has left it, but not for long.
    until("it waits for a handshake, not for ever", || {
        let begun = Instant::now();
        let mut silent = TcpStream::connect(server.address).expect("it listens");
        let patience = Some(Duration::from_secs(30));
        silent.set_read_timeout(patience).expect("a socket");
        drop(silent.read_to_end(&mut Vec::new()));
        begun.elapsed() >= Duration::from_millis(250)
    });
    assert_eq!(one.status("GET-VERSION"), "+002 001");
    drop(one);
    until("a place is free", || server.census.views().is_empty());
    assert_eq!(server.user("two").status("GET-VERSION"), "+002 001");
    let limit = |event: &AuditEvent| match event {
        AuditEvent::RacsRefused(refused) => refused.because == RacsRefusedFor::Limit,
        _ => false,
    };
    assert!(server.audit().iter().any(limit));
}

/// Whether the connection works; a client of TLS 1.3 learns late that it does not.
fn works(user: std::io::Result<User>) -> bool {
    user.and_then(|mut user| {
        user.send(b"BEGIN\r\nEND\r\n")?;
        user.response()
    })
    .is_ok()
}

#[test]
fn only_good_certificates_are_let_in() {
    let server = TestServer::start(&["se-00"], |_| {});
    assert!(works(Ok(server.user("one"))));
    assert!(!works(server.connect(None)));
    let foreign = authority("CA");
    assert!(!works(server.connect(Some(credential(&foreign, "one")))));
    let mut plain = TcpStream::connect(server.address).expect("it listens");
    plain
        .write_all(b"BEGIN\r\nLIST\r\nEND\r\n")
        .expect("it listens");
    let mut said = Vec::new();
    drop(plain.read_to_end(&mut said));
    assert!(
        said.first().is_none_or(|kind| *kind == 21),
        "an alert at most"
    );
    // One that nobody has listed sees nothing and can do nothing.
    let mut stranger = server.user("three");
    assert_eq!(stranger.ask(&["LIST"]), ["+004 001"]);
    for line in [
        "POWERON se-00",
        &apdu(0x10),
        "SHUTDOWN se-00",
        "RESET se-00",
    ] {
        assert!(stranger.status(line).starts_with("-40"), "{line}");
    }
    until("refusals are on record", || {
        server.audit().iter().any(|event| match event {
            AuditEvent::RacsRefused(refused) => refused.because == RacsRefusedFor::Tls,
            _ => false,
        })
    });
}

//! Requests as they come, and users who do not behave.

use std::time::Instant;

use integration::racs_user::address;
use integration::wait;

use super::{Grid, OK, select};

#[test]
fn ten_thousand_commands_in_a_request_are_one_response() {
    let grid = Grid::start(&["se-00"], "", &["one"]);
    let mut user = grid.user("one");
    let line = format!("APDU se-00 {} CONTINUE=9000\r\n", select());
    let request = format!("BEGIN\r\n{}END\r\n", line.repeat(10_000));
    user.send(request.as_bytes()).expect("the server listens");
    let response = user.response().expect("one");
    assert_eq!(response, "BEGIN\r\n+006 10000 9000\r\nEND\r\n");
    user.leave();
    let apdus = wait::until("it is on record", || {
        let returned = grid.chain.audited("card-returned").pop()?;
        returned["apdus"].as_u64()
    });
    assert_eq!(apdus, 10_000);
}

#[test]
fn a_request_may_be_cut_anywhere() {
    let grid = Grid::start(&["se-00"], "", &["one"]);
    let mut user = grid.user("one");
    let select = select();
    let request = format!("BEGIN cut\r\nAPDU se-00 {select} APPEND\r\nLIST\r\nEND\r\n");
    let whole = "BEGIN cut\r\n+006 001 9000\r\n+004 002 se-00\r\nEND\r\n";
    for at in 1..request.len() {
        let (first, second) = request.as_bytes().split_at(at);
        user.send(first).expect("the server listens");
        user.send(second).expect("the server listens");
        assert_eq!(user.response().expect("one"), whole, "cut at {at}");
    }
    for byte in request.as_bytes() {
        user.send(&[*byte]).expect("the server listens");
    }
    assert_eq!(user.response().expect("one"), whole);
    // Two in one record.
    user.send(request.repeat(2).as_bytes())
        .expect("the server listens");
    for _ in 0..2 {
        assert_eq!(user.response().expect("one"), whole);
    }
}

#[test]
fn a_line_without_end_ends_its_connection_alone() {
    let grid = Grid::start(&["se-00"], "", &["one", "two"]);
    let mut other = grid.user("two");
    assert_eq!(other.apdu("se-00", &select()), OK);
    let mut user = grid.user("one");
    // The server may hang up before it has read all.
    drop(user.send(&[b'x'; 100_000]));
    let said = user.response().expect("why");
    assert!(said.starts_with("BEGIN\r\n-300 000 "), "{said}");
    assert!(user.response().is_err(), "it has ended");
    assert_eq!(other.apdu("se-00", &select()), OK);
}

#[test]
fn who_does_not_read_delays_nobody() {
    let grid = Grid::start(&["se-00", "se-01"], "", &["one", "two"]);
    let mut slow = grid.user("one");
    assert_eq!(slow.apdu("se-00", &select()), OK);
    let echo = format!("ECHO {} APPEND\r\n", "x".repeat(60));
    let request = format!("BEGIN\r\n{}END\r\n", echo.repeat(700));
    slow.send(request.as_bytes()).expect("the server listens");
    assert!(slow.response().expect("one").len() > 40_000);
    let mut quick = grid.user("two");
    let begun = Instant::now();
    let mut longest = begun.elapsed();
    // Until the server has left it, which it does ten seconds after no buffer takes any more.
    let mut left = false;
    while !left {
        left = slow.push(request.as_bytes()).is_err();
        let asked = Instant::now();
        assert_eq!(quick.apdu("se-01", &select()), OK);
        longest = longest.max(asked.elapsed());
        assert!(
            begun.elapsed() < wait::PATIENCE * 2,
            "the slow one is still there"
        );
    }
    assert!(longest.as_secs() < 5, "{longest:?}");
    wait::until("its card is free", || {
        (quick.code("POWERON se-00") == "+008 001").then_some(())
    });
}

#[test]
fn more_users_than_may_be_are_refused_with_a_record() {
    let grid = Grid::start(&["se-00"], "max_connections = 2", &["one"]);
    let users: Vec<_> = (0..2)
        .map(|_| {
            wait::until("a place", || {
                let mut user = grid.user("one");
                let asked = user.send(b"BEGIN\r\nEND\r\n");
                asked.and_then(|()| user.response()).ok().map(|_| user)
            })
        })
        .collect();
    let credential = grid
        .desk
        .users
        .identity("one", integration::pki::KeyKind::P256);
    let third = grid.desk.connect(address(&grid.chain), Some(&credential));
    let answer = third.and_then(|mut user| {
        user.send(b"BEGIN\r\nEND\r\n")?;
        user.response()
    });
    assert!(answer.is_err());
    wait::until("it is on record", || {
        let refused = grid.chain.audited("racs-refused");
        refused
            .iter()
            .find(|record| record["because"] == "limit")
            .map(drop)
    });
    drop(users);
}

//! The first line: what lets a guest in, and everything else.

use std::io::{Read, Write};
use std::sync::Arc;

use integration::chain::Chain;
use integration::chain::{CardPlan, ChainPlan, GuestPlan};
use integration::channel_client::{ChannelStream, GuestDoor, config};
use integration::pki::{KeyKind, Pki};
use integration::racs_guest::RacsGuest;
use integration::wait;
use proto::racs::{MAX_TOKEN_LINE, token_line};

use super::{LIST, plan};

/// A connection that speaks RACS, by hand.
fn connect(door: &GuestDoor) -> ChannelStream {
    let key = door.key_file.as_ref().expect("a channel with TLS");
    let mut config = config(key);
    config.alpn_protocols = vec![b"racs/1".to_vec()];
    let mut stream = door.connect_with(Arc::new(config));
    stream.handshake().expect("TLS");
    stream
}

/// Says this and reads to the end of the connection.
fn answer(mut stream: ChannelStream, said: &[u8]) -> String {
    // It may have closed before all is said.
    let _ = stream.write_all(said).and_then(|()| stream.flush());
    read(&mut stream)
}

fn read(stream: &mut ChannelStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 1_024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return String::from_utf8(answer).expect("ASCII"),
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
        }
    }
}

const ADMITTED: &str = "BEGIN\r\n+000 000 admitted\r\nEND\r\n";

/// The token, a request and QUIT in one go.
fn all_at_once(door: &GuestDoor) -> Vec<u8> {
    let line = token_line(&door.token).expect("a token");
    [&line[..], b"BEGIN\r\nLIST APPEND\r\nQUIT\r\nEND\r\n"].concat()
}

#[test]
fn the_first_line_may_be_cut_anywhere() {
    let chain = Chain::start(&Pki::new(), &plan(LIST));
    let door = chain.door("web01");
    let said = all_at_once(&door);
    let answered = format!("{ADMITTED}BEGIN\r\n+004 001 se-00\r\n+012 002 QUIT\r\nEND\r\n");
    let line = said.iter().position(|&byte| byte == b'\n').expect("a line") + 1;
    // Every cut near both ends of the line, and some in it.
    let cuts = (0..=said.len()).filter(|cut| *cut < 12 || *cut + 12 > line || cut % 97 == 0);
    for cut in cuts {
        let mut stream = connect(&door);
        let (before, after) = said.split_at(cut);
        stream
            .write_all(before)
            .and_then(|()| stream.flush())
            .expect("open");
        assert_eq!(answer(stream, after), answered, "{cut}");
    }
    let mut stream = connect(&door);
    for byte in &said {
        let byte = std::slice::from_ref(byte);
        stream
            .write_all(byte)
            .and_then(|()| stream.flush())
            .expect("open");
    }
    assert_eq!(read(&mut stream), answered);
}

#[test]
fn a_line_that_is_cut_off_or_has_no_end_is_nothing() {
    let chain = Chain::start(&Pki::new(), &plan(LIST).limit("hello_ms", 1_000));
    let door = chain.door("web01");
    let line = token_line(&door.token).expect("a token");
    for cut in [0, 1, 6, 7, line.len() / 2, line.len() - 1] {
        let mut stream = connect(&door);
        stream
            .write_all(&line[..cut])
            .and_then(|()| stream.flush())
            .expect("open");
        stream.shutdown(std::net::Shutdown::Write).expect("open");
        assert_eq!(read(&mut stream), "", "{cut}");
    }
    // Silence is answered when the time for it is over.
    let said = read(&mut connect(&door));
    assert!(said.starts_with("BEGIN\r\n-300 000 timeout: "), "{said}");
    let endless = vec![b'A'; MAX_TOKEN_LINE + 1];
    for other in [
        &endless[..],
        b"BEGIN\r\nLIST\r\nEND\r\n",
        b"\r\n",
        b"TOKEN\r\n",
        b"TOKEN 0oR=\r\n",
        b"TOKEN a b\r\n",
    ] {
        let said = answer(connect(&door), other);
        assert!(said.starts_with("BEGIN\r\n-300 000 protocol: "), "{said}");
        assert!(said.ends_with("END\r\n"), "{said}");
    }
    // The guest is still welcome.
    assert!(answer(connect(&door), &all_at_once(&door)).starts_with(ADMITTED));
}

#[test]
fn only_its_own_token_lets_a_guest_in() {
    let chain = Chain::start(&Pki::new(), &plan(LIST));
    let (door, other) = (chain.door("web01"), chain.door("web02"));
    let refused = |door: &GuestDoor, token: &[u8], code: &str| {
        let line = token_line(token).expect("by its length");
        let said = answer(connect(door), &line);
        let expected = format!("BEGIN\r\n-600 000 {code}: ");
        assert!(said.starts_with(&expected), "{said}");
    };
    refused(&door, b"garbage", "bad-token");
    refused(&door, &other.token, "bad-token");
    refused(&door.with_key_of(&other), &door.token, "bad-token");
    let mut changed = door.token.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    refused(&door, &changed, "bad-token");
    wait::until("it is on record as for hello", || {
        let records = chain.audited("session-refused");
        let mut of_guest = records
            .iter()
            .filter(|r| r["domid"] == 1 && r["code"] == "bad-token");
        of_guest.next().map(drop)
    });
    assert!(answer(connect(&door), &all_at_once(&door)).starts_with(ADMITTED));
}

#[test]
fn a_guest_without_a_list_or_without_tls_speaks_no_racs() {
    let card = |seid: &str, name: &str| CardPlan::new(seid).identity(name, KeyKind::P256);
    let plan = ChainPlan::new()
        .card(card("se-00", "web01"))
        .card(card("se-01", "web02"))
        .guest(GuestPlan::new("web01").bound("se-00", "web01"))
        .guest(
            GuestPlan::new("web02")
                .bound("se-01", "web02")
                .raw_apdu(LIST)
                .insecure(),
        );
    let chain = Chain::start(&Pki::new(), &plan);
    let mut guest = RacsGuest::start(&chain, "web01");
    assert_eq!(guest.rest(), "");
    let (exit, said) = guest.ended();
    assert_eq!(exit, Some(77), "{said}");
    assert!(said.contains("policy"), "{said}");
    let (exit, said) = RacsGuest::start(&chain, "web02").ended();
    assert_eq!(exit, Some(78), "{said}");
    assert!(said.contains("insecure_development"), "{said}");
}

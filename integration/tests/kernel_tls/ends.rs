//! How a connection ends, as the client library shows it.

use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::sync::mpsc::channel;

use domu_agent::client::Ending;
use integration::meddler::{Delivery, Meddler, RecordEdit};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::tls_server::TlsServer;
use integration::wait::{self, PATIENCE};
use rustls::version::TLS12;

use crate::{NAME, chain, connect};

const ANSWER: usize = 1 << 20;

#[test]
fn the_answer_comes_after_the_end_of_the_request() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let (heard, hears) = channel();
    let heard = Mutex::new(heard);
    let server = TlsServer::start(&pki, &credential, &TLS12, move |connection| {
        let mut request = Vec::new();
        // The end of TCP without close_notify is an error.
        connection.read_to_end(&mut request)?;
        let heard = heard.lock().expect("one at a time");
        heard.send(request).expect("the test waits");
        connection.write_all(&payload(ANSWER))
    });
    let mut socket = connect(&chain, server.port());
    socket.write_all(b"request").expect("it stands");
    socket.finish().expect("it stands");
    assert_eq!(hears.recv_timeout(PATIENCE).expect("all of it"), b"request");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an end in order");
    assert!(answer == payload(ANSWER), "{} bytes", answer.len());
    assert_eq!(socket.ended().expect("asked").how, Ending::Closed);
}

#[test]
fn what_is_cut_short_or_changed_on_its_way_is_no_end() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let server = || {
        TlsServer::start(&pki, &credential, &TLS12, |tls| {
            tls.write_all(&payload(5_000))?;
            tls.flush()?;
            tls.write_all(&payload(5_000))
        })
    };
    // ServerHello to ServerHelloDone are one record or several; what counts is the data's.
    for (what, expected) in [("cut", Ending::CutShort), ("changed", Ending::BadRecord)] {
        let server = server();
        let records = count_records(&chain, server.port());
        let first_data = records - 3;
        let edit = match what {
            "cut" => RecordEdit::CutBefore(first_data + 1),
            _ => RecordEdit::Exchange(first_data),
        };
        let meddler = Meddler::start(server.port(), Delivery::Records(edit));
        let client = chain.guest("web01").client();
        let mut wish = integration::chain::request(meddler.port(), NAME);
        wish.resume = Some(false);
        let mut socket = client.connect_plaintext(wish).expect("a socket");
        let mut data = Vec::new();
        let error = socket.read_to_end(&mut data).expect_err(what);
        println!("{what}: {error}");
        assert!(data.len() < 10_000, "{what}: {}", data.len());
        if what == "cut" {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
            assert_eq!(socket.ended().expect("asked").how, expected);
        }
    }
}

/// How many records the server sends in all on a connection: its handshake, two of data, and
/// close_notify.
fn count_records(chain: &integration::chain::Chain, port: u16) -> usize {
    for count in 6..30 {
        let edit = RecordEdit::CutBefore(count);
        let meddler = Meddler::start(port, Delivery::Records(edit));
        let mut wish = integration::chain::request(meddler.port(), NAME);
        wish.resume = Some(false);
        let client = chain.guest("web01").client();
        let Ok(mut socket) = client.connect_plaintext(wish) else {
            continue;
        };
        if socket.read_to_end(&mut Vec::new()).is_ok() {
            return count;
        }
    }
    panic!("a handshake of more records than that");
}

#[test]
fn a_right_that_ends_shuts_the_connection_down() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    let mut socket = connect(&chain, server.port());
    socket.write_all(&payload(100)).expect("it stands");
    assert_eq!(server.receive(100), payload(100));
    let revoked = chain.admin(&["token", "revoke", "--vm", "web01"]);
    assert!(revoked.status.success(), "{revoked:?}");
    let error = socket.read(&mut [0]).expect_err("the right has ended");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted, "{error}");
    assert_eq!(socket.ended().expect("asked").how, Ending::Revoked);
    let written = wait::until("an end of writing", || socket.write(b"x").err());
    assert_eq!(written.kind(), io::ErrorKind::BrokenPipe);
}

//! How a connection ends, as the client library shows it.

use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use domu_agent::client::Ending;
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::tls_server::TlsServer;
use integration::wait::PATIENCE;
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

/// A record that no key has sealed.
const FORGED: [u8; 45] = {
    let mut record = [0; 45];
    (record[0], record[1], record[2], record[4]) = (23, 3, 3, 40);
    record
};

#[test]
fn what_is_cut_short_or_changed_on_its_way_is_no_end() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(&pki, &credential, &TLS12, |tls| {
        let mut wish = [0];
        tls.read_exact(&mut wish)?;
        tls.write_all(&payload(5_000))?;
        tls.flush()?;
        match wish {
            [b'c'] => tls.sock.shutdown(Shutdown::Write),
            _ => tls.sock.write_all(&FORGED),
        }?;
        // Its close_notify comes after the client has left, or not at all.
        tls.read_to_end(&mut Vec::new()).map(drop)
    });
    for (wish, expected) in [(b"c", Ending::CutShort), (b"f", Ending::BadRecord)] {
        let mut socket = connect(&chain, server.port());
        socket.write_all(wish).expect("it stands");
        let mut data = Vec::new();
        let error = socket.read_to_end(&mut data).expect_err("no end in order");
        println!("{expected:?}: {error}");
        assert!(data == payload(5_000), "what came before is good");
        assert_eq!(socket.ended().expect("asked").how, expected);
    }
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
    // The server may answer the end with a close_notify, which nobody takes: TCP is reset.
    let kinds = [ConnectionAborted, ConnectionReset];
    assert!(kinds.contains(&error.kind()), "{error}");
    assert_eq!(socket.ended().expect("asked").how, Ending::Revoked);
    // Writing is no sign: kernel 6.1 takes small records for a connection that was shut down, and
    // drops them.
}

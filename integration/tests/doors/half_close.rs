//! A server that goes on after the application has said its last.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::{Receiver, channel};

use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::tls_server::TlsServer;
use integration::wait::PATIENCE;
use rustls::version::{TLS12, TLS13};

use crate::own_records::OwnRecords;
use crate::{ALLOW_ALL, NAME, chain, request};

const ANSWER: usize = 1 << 20;

/// Reads to close_notify, tells what came, and only then sends its answer.
fn patient_server(
    pki: &Pki,
    version: &'static rustls::SupportedProtocolVersion,
) -> (TlsServer, Receiver<Vec<u8>>) {
    let credential = pki.server(NAME, KeyKind::P256);
    let (heard, hears) = channel();
    let server = TlsServer::start(pki, &credential, version, move |connection| {
        let mut request = Vec::new();
        // The end of TCP without close_notify is an error.
        connection.read_to_end(&mut request)?;
        heard.send(request).expect("the test waits");
        connection.write_all(&payload(ANSWER))
    });
    (server, hears)
}

#[test]
fn the_answer_comes_after_the_end_of_the_request_in_every_mode() {
    let pki = Pki::new();
    let chain = chain(&pki, ALLOW_ALL);
    let client = chain.guest("web01").client();
    for version in [&TLS12, &TLS13] {
        let (server, hears) = patient_server(&pki, version);
        let wish = || request(server.port(), NAME);
        let (_, stream) = client.connect(wish()).expect("a stream");
        let (_, socket) = client.connect_socket(wish()).expect("a socket");
        for mut app in [stream, socket] {
            app.set_read_timeout(Some(PATIENCE)).expect("not zero");
            app.write_all(b"request").expect("it stands");
            app.shutdown(Shutdown::Write).expect("it stands");
            assert_eq!(hears.recv_timeout(PATIENCE).expect("all of it"), b"request");
            let mut answer = Vec::new();
            app.read_to_end(&mut answer).expect("the server ends");
            assert!(answer == payload(ANSWER), "{} bytes", answer.len());
        }

        let mut app = OwnRecords::new(client.connect_keys(wish()).expect("keys"));
        app.send(b"request");
        app.end();
        assert_eq!(hears.recv_timeout(PATIENCE).expect("all of it"), b"request");
        assert!(app.read(ANSWER) == payload(ANSWER));
    }
}

//! A right that ends, in each mode: here because the guest's domain does, in xenstore.

use std::io::{self, Read};
use std::time::Instant;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use integration::wait::PATIENCE;
use integration::xenstored::{Domain, Xenstored};

use crate::{ALLOW_ALL, NAME, request};

#[test]
fn what_was_made_with_a_right_ends_with_it_in_each_mode() {
    let pki = Pki::new();
    let xenstored = Xenstored::start();
    xenstored.create(&Domain::new(1, 1, "web01"));
    let guest = GuestPlan::new("web01").bound("se-00", "web01");
    let plan = ChainPlan::new()
        .card(CardPlan::new("se-00").identity("web01", KeyKind::P256))
        .guest(guest.agent_config(ALLOW_ALL))
        .limit("domain_read_ms", 5_000)
        .on_xenstore(&xenstored);
    let chain = Chain::start(&pki, &plan);
    let credential = pki.server(NAME, KeyKind::P256);
    let servers: Vec<_> = (0..3)
        .map(|_| OpensslServer::start(&pki, &ServerPlan::new(&credential).tls13()))
        .collect();
    let ask = |position: usize| request(servers[position].port(), NAME);
    let client = chain.guest("web01").client();

    let (_, mut stream) = client.connect(ask(0)).expect("a stream");
    let (_, mut socket) = client.connect_socket(ask(1)).expect("a socket");
    let mut keys = client.connect_keys(ask(2)).expect("keys");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
    keys.server
        .set_read_timeout(Some(PATIENCE))
        .expect("not zero");

    let begun = Instant::now();
    xenstored.destroy(1);
    expect_end("stream", &mut stream, begun);
    expect_end("socket", &mut socket, begun);
    expect_end("keys", &mut keys.server, begun);
}

/// Reads until it ends or is cut off.
fn expect_end(mode: &str, connection: &mut impl Read, begun: Instant) {
    // In TLS 1.3 a server sends tickets, which are nothing to an application in the other modes.
    match io::copy(connection, &mut io::sink()) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{mode}"),
    }
    let time = begun.elapsed().as_secs_f64() * 1e3;
    println!("mode {mode}: ended {time:.1} ms after its domain");
}

//! Who may have a connection whose keys the kernel holds.

use std::io::{Read, Write};

use domu_agent::client::{ConnectRequest, Via};
use integration::chain::request;
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};

use crate::{NAME, chain, chain_with, has_kernel_tls};

#[test]
fn who_may_not_have_keys_gets_the_relay() {
    let pki = Pki::new();
    let chain = chain_with(&pki, "");
    if !has_kernel_tls(&chain) {
        return;
    }
    expect_relay(&pki, &chain, ConnectRequest::default());
}

#[test]
fn who_asks_for_the_relay_gets_it() {
    let pki = Pki::new();
    let Some(chain) = chain(&pki) else { return };
    let via = Some(Via::Relay);
    expect_relay(
        &pki,
        &chain,
        ConnectRequest {
            via,
            ..ConnectRequest::default()
        },
    );
}

fn expect_relay(pki: &Pki, chain: &integration::chain::Chain, wish: ConnectRequest) {
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(pki, &ServerPlan::new(&credential));
    let to = request(server.port(), NAME);
    let wish = ConnectRequest {
        connect: to.connect,
        server_name: to.server_name,
        ..wish
    };
    let client = chain.guest("web01").client();
    let mut socket = client.connect_plaintext(wish).expect("a socket");
    assert_eq!(socket.established.via.as_deref(), Some("relay"));
    socket.write_all(&payload(100)).expect("it stands");
    assert_eq!(server.receive(100), payload(100));
    socket.finish().expect("it stands");
    assert_eq!(socket.read(&mut [0]).expect("an end in order"), 0);
}

//! Applications that leave, or whose time is over: the next one works, and the card is free.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use domu_agent::client::{ClientError, ConnectRequest, Mode};
use integration::chain::Chain;
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use integration::wait;
use serde_json::Value;

use crate::silence::{Blackhole, SilentServer};
use crate::{ALLOW_ALL, NAME, chain, request};

const MODES: [Mode; 3] = [Mode::Stream, Mode::Socket, Mode::Keys];

/// An application that has asked and does not wait for the answer yet.
fn ask(chain: &Chain, request: &ConnectRequest) -> UnixStream {
    let mut app = UnixStream::connect(chain.guest("web01").socket()).expect("listening");
    let line = serde_json::to_string(request).expect("texts and numbers") + "\n";
    app.write_all(line.as_bytes()).expect("connected");
    app
}

fn in_mode(mode: Mode, port: u16) -> ConnectRequest {
    ConnectRequest {
        mode,
        ..request(port, NAME)
    }
}

/// Waits until the agent has so many requests in progress.
fn wait_requests(chain: &Chain, count: u64) {
    wait::until(&format!("{count} requests in the agent"), || {
        let status = chain.guest("web01").client().status().ok()?;
        (status.sessions.handshakes == count).then_some(())
    });
}

/// Waits until the card says so.
fn wait_card(chain: &Chain, what: &str, is: impl Fn(&Value) -> bool) {
    wait::until(what, || {
        let output = chain.admin(&["card", "list", "--json"]);
        let cards: Value = serde_json::from_slice(&output.stdout).ok()?;
        is(&cards[0]).then_some(())
    });
}

/// The card is free, the agent has nothing left, and the next one gets a connection.
fn expect_recovered(chain: &Chain, server: &OpensslServer) {
    wait_requests(chain, 0);
    chain.wait_card("present");
    let session = chain.guest("web01").connect(server.port(), NAME);
    session.expect("the next one works").close();
}

fn start() -> (Chain, OpensslServer) {
    let pki = Pki::new();
    let chain = chain(&pki, ALLOW_ALL);
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    (chain, server)
}

#[test]
fn leaving_while_tcp_connects() {
    let (chain, server) = start();
    let blackhole = Blackhole::start();
    for mode in MODES {
        let app = ask(&chain, &in_mode(mode, blackhole.port()));
        wait_requests(&chain, 1);
        drop(app);
        expect_recovered(&chain, &server);
    }
}

#[test]
fn leaving_in_the_handshake() {
    let (chain, server) = start();
    let silent = SilentServer::start();
    for mode in MODES {
        let app = ask(&chain, &in_mode(mode, silent.port()));
        let mut client = silent.accept();
        let mut client_hello = [0];
        client.read_exact(&mut client_hello).expect("a ClientHello");
        wait_card(&chain, "the card is in use", |card| {
            card["running"].is_object()
        });
        drop(app);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).expect("the agent closes");
        expect_recovered(&chain, &server);
    }
}

#[test]
fn leaving_in_the_queue() {
    let (chain, server) = start();
    let silent = SilentServer::start();
    for mode in MODES {
        let first = ask(&chain, &in_mode(mode, silent.port()));
        wait_card(&chain, "the card is in use", |card| {
            card["running"].is_object()
        });
        let second = ask(&chain, &in_mode(mode, silent.port()));
        wait_card(&chain, "one waits", |card| card["waiting"] == 1);
        drop(second);
        wait_card(&chain, "none waits", |card| card["waiting"] == 0);
        wait_requests(&chain, 1);
        drop(first);
        expect_recovered(&chain, &server);
    }
}

#[test]
fn time_runs_out_for_silence_of_every_kind() {
    let (chain, server) = start();
    let (silent, blackhole) = (SilentServer::start(), Blackhole::start());
    let client = chain.guest("web01").client();
    for port in [silent.port(), blackhole.port()] {
        let wish = || ConnectRequest {
            timeout_ms: Some(200),
            ..request(port, NAME)
        };
        for outcome in [
            client.connect(wish()).err(),
            client.connect_socket(wish()).err(),
            client.connect_keys(wish()).err(),
        ] {
            let Some(ClientError::Refused(error)) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(error.code, "timeout");
        }
        expect_recovered(&chain, &server);
    }
}

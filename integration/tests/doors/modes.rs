//! Each mode in each version, against OpenSSL.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use domu_agent::client::{Client, ClientError, KeysConnection};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::wait::PATIENCE;

use crate::own_records::OwnRecords;
use crate::{ALLOW_ALL, NAME, chain, request};

const VERSIONS: [&str; 2] = ["TLS 1.2", "TLS 1.3"];

/// More than one record each way.
const LENGTH: usize = 40_000;

fn server(pki: &Pki, version: &str) -> OpensslServer {
    let credential = pki.server(NAME, KeyKind::P256);
    let plan = ServerPlan::new(&credential);
    let plan = match version {
        "TLS 1.3" => plan.tls13(),
        _ => plan,
    };
    OpensslServer::start(pki, &plan)
}

/// Data each way, and an end in order.
fn exchange(mut app: UnixStream, server: &OpensslServer) {
    app.set_read_timeout(Some(PATIENCE)).expect("not zero");
    app.write_all(&payload(LENGTH)).expect("it stands");
    assert_eq!(server.receive(LENGTH), payload(LENGTH));
    server.send(&payload(LENGTH));
    let mut data = vec![0; LENGTH];
    app.read_exact(&mut data).expect("the server sends");
    assert_eq!(data, payload(LENGTH));
    app.shutdown(Shutdown::Write).expect("it stands");
    let mut rest = Vec::new();
    app.read_to_end(&mut rest).expect("the server ends");
    assert!(rest.is_empty());
}

#[test]
fn a_socket_carries_plaintext_like_a_stream() {
    let pki = Pki::new();
    let chain = chain(&pki, "");
    let client = chain.guest("web01").client();
    for version in VERSIONS {
        let server = server(&pki, version);
        let (established, app) = client
            .connect(request(server.port(), NAME))
            .expect("a stream");
        assert_eq!(established.version, version);
        assert_eq!(established.via, None);
        exchange(app, &server);

        let (established, app) = client
            .connect_socket(request(server.port(), NAME))
            .expect("a socket");
        assert_eq!(established.version, version);
        assert_eq!(established.via.as_deref(), Some("relay"));
        exchange(app, &server);
    }
}

#[test]
fn keys_are_enough_to_talk_to_the_server() {
    let pki = Pki::new();
    let chain = chain(&pki, ALLOW_ALL);
    let client = chain.guest("web01").client();
    for version in VERSIONS {
        let server = server(&pki, version);
        // The second one is resumed in TLS 1.2.
        for number in 0..2 {
            let wish = request(server.port(), NAME);
            let connection = client.connect_keys(wish).expect("keys");
            assert_eq!(connection.established.version, version);
            assert_eq!(
                connection.established.abbreviated,
                connection.flags.abbreviated
            );
            assert_eq!(server.report(number).reused, connection.flags.abbreviated);
            let mut app = OwnRecords::new(connection);
            app.send(&payload(LENGTH));
            assert_eq!(server.receive(LENGTH), payload(LENGTH));
            server.send(&payload(LENGTH));
            assert_eq!(app.read(LENGTH), payload(LENGTH));
            app.close();
        }
    }
}

#[test]
fn each_suite_gives_keys_that_fit() {
    let pki = Pki::new();
    let chain = chain(&pki, ALLOW_ALL);
    let client = chain.guest("web01").client();
    let credential = pki.server(NAME, KeyKind::P256);
    let plan = || ServerPlan::new(&credential);
    let plans = [
        plan().cipher("ECDHE-ECDSA-AES128-GCM-SHA256"),
        plan().cipher("ECDHE-ECDSA-AES256-GCM-SHA384"),
        plan().cipher("ECDHE-ECDSA-CHACHA20-POLY1305"),
        plan().tls13().cipher("TLS_AES_128_GCM_SHA256"),
        plan().tls13().cipher("TLS_AES_256_GCM_SHA384"),
        plan().tls13().cipher("TLS_CHACHA20_POLY1305_SHA256"),
    ];
    for plan in plans {
        let server = OpensslServer::start(&pki, &plan);
        let connection = client
            .connect_keys(request(server.port(), NAME))
            .expect("keys");
        let KeysConnection {
            keys,
            established,
            peer_certificates,
            ..
        } = &connection;
        assert_eq!(keys.cipher_suite.to_string(), established.cipher_suite);
        assert_eq!(peer_certificates[0], credential.certificate.as_ref());
        let mut app = OwnRecords::new(connection);
        app.send(&payload(100));
        assert_eq!(server.receive(100), payload(100));
        app.close();
    }
}

#[test]
fn keys_are_refused_unless_they_are_allowed_by_name() {
    let pki = Pki::new();
    let chain = chain(&pki, "");
    let client: &Client = chain.guest("web01").client();
    let server = server(&pki, "TLS 1.3");
    let refused = client.connect_keys(request(server.port(), NAME));
    let Err(ClientError::Refused(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code, "policy");
    assert_eq!(server.reports(), []);
}

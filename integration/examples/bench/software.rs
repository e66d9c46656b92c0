//! The same handshakes by a TLS library with its key in memory.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use integration::openssl::OpensslServer;
use integration::pki::{KeyKind, Pki};
use rustls::client::Resumption;
use rustls::version::TLS12;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, SupportedProtocolVersion,
};

use crate::NAME;
use crate::figures::Times;

/// What was measured: from the TCP connection to the end of the handshake.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) full: Times,
    pub(crate) resumed: Times,
}

/// Runs `count` full handshakes, then as many resumed.
pub(crate) fn measure(pki: &Pki, server: &OpensslServer, key: KeyKind, count: usize) -> Measured {
    let port = server.port();
    let mut config = config(pki, key, &TLS12);
    let resumption = std::mem::replace(&mut config.resumption, Resumption::disabled());
    let full = Arc::new(config.clone());
    config.resumption = resumption;
    let resumed = Arc::new(config);

    let mut measured = Measured::default();
    run(&full, port, HandshakeKind::Full);
    for _ in 0..count {
        measured.full.add(run(&full, port, HandshakeKind::Full));
    }
    run(&resumed, port, HandshakeKind::Full);
    for _ in 0..count {
        measured
            .resumed
            .add(run(&resumed, port, HandshakeKind::Resumed));
    }
    measured
}

/// A client with that key in memory, for one version of TLS.
pub(crate) fn config(
    pki: &Pki,
    key: KeyKind,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(pki.ca.certificate()).expect("a CA");
    let client = pki.identity("software", key);
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("ring has suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![client.certificate.clone()], client.key())
        .expect("a key that fits")
}

/// Time of one handshake with the server on a port.
pub(crate) fn run(config: &Arc<ClientConfig>, port: u16, kind: HandshakeKind) -> Duration {
    let name = NAME.try_into().expect("a name");
    let started = Instant::now();
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    tcp.set_nodelay(true).expect("a TCP connection");
    let mut tls = ClientConnection::new(Arc::clone(config), name).expect("a good configuration");
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp).expect("a handshake");
    }
    let time = started.elapsed();
    assert_eq!(
        tls.handshake_kind(),
        Some(kind),
        "of the kind that is measured"
    );

    // The server serves the next one when this one has ended.
    tls.send_close_notify();
    while tls.wants_write() {
        tls.write_tls(&mut tcp).expect("the server is there");
    }
    while tls.read_tls(&mut tcp).expect("the server ends in order") > 0 {
        tls.process_new_packets().expect("the server ends in order");
    }
    time
}

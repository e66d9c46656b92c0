//! The same handshakes by a TLS library with its key in memory.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use integration::openssl::OpensslServer;
use integration::pki::{KeyKind, Pki};
use nix::time::{ClockId, clock_gettime};
use rustls::client::Resumption;
use rustls::version::TLS12;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, SupportedProtocolVersion,
};

use crate::NAME;
use crate::figures::Times;

/// Handshakes of one kind.
#[derive(Debug, Default)]
pub(crate) struct Share {
    /// From the TCP connection to the end of the handshake.
    pub(crate) total: Times,
    /// What the client's processor did of that; the rest is the server's, and waiting.
    pub(crate) client: Times,
}

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) full: Share,
    pub(crate) resumed: Share,
}

/// Runs `count` full handshakes, then as many resumed.
pub(crate) fn measure(pki: &Pki, server: &OpensslServer, key: KeyKind, count: usize) -> Measured {
    let port = server.port();
    let resumed = Arc::new(config(pki, key, &TLS12));
    let mut measured = Measured {
        full: measure_full(pki, server, key, &TLS12, count),
        ..Measured::default()
    };
    run(&resumed, port, HandshakeKind::Full);
    for _ in 0..count {
        measured
            .resumed
            .add(run(&resumed, port, HandshakeKind::Resumed));
    }
    measured
}

/// Runs `count` full handshakes of one version of TLS.
pub(crate) fn measure_full(
    pki: &Pki,
    server: &OpensslServer,
    key: KeyKind,
    version: &'static SupportedProtocolVersion,
    count: usize,
) -> Share {
    let mut config = config(pki, key, version);
    config.resumption = Resumption::disabled();
    let config = Arc::new(config);
    let mut share = Share::default();
    run(&config, server.port(), HandshakeKind::Full);
    for _ in 0..count {
        share.add(run(&config, server.port(), HandshakeKind::Full));
    }
    share
}

impl Share {
    fn add(&mut self, (total, client): (Duration, Duration)) {
        self.total.add(total);
        self.client.add(client);
    }
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

/// Time of one handshake with the server on a port, and what this thread's processor did of it.
pub(crate) fn run(
    config: &Arc<ClientConfig>,
    port: u16,
    kind: HandshakeKind,
) -> (Duration, Duration) {
    let name = NAME.try_into().expect("a name");
    let (started, worked) = (Instant::now(), thread_time());
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    tcp.set_nodelay(true).expect("a TCP connection");
    let mut tls = ClientConnection::new(Arc::clone(config), name).expect("a good configuration");
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp).expect("a handshake");
    }
    let time = (started.elapsed(), thread_time().saturating_sub(worked));
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

/// What the processors have done for this thread so far.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has it");
    time.into()
}

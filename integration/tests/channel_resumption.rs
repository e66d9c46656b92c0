//! A guest that wants to resume a session of its channel.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use integration::channel_client::{HV_NAME, config};
use integration::rogue_guest::RogueGuest;
use integration::world::World;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, Error, HandshakeKind,
    NamedGroup, ServerConfig, ServerConnection, SignatureScheme,
};

/// Takes every raw key.
#[derive(Debug)]
struct AnyKey;

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ED25519,
            SignatureScheme::ECDSA_NISTP256_SHA256,
        ]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Counts the tickets that a client takes to offer them.
#[derive(Debug)]
struct Offers {
    kept: ClientSessionMemoryCache,
    taken: AtomicUsize,
}

impl ClientSessionStore for Offers {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(server)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.kept.insert_tls13_ticket(server, ticket);
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let ticket = self.kept.take_tls13_ticket(server)?;
        self.taken.fetch_add(1, Ordering::Relaxed);
        Some(ticket)
    }
}

/// Has a server of the test, which is called as dom0 is, give tickets to the client.
fn give_tickets(config: &Arc<ClientConfig>) {
    let certified = rcgen::generate_simple_self_signed([HV_NAME.to_owned()]).expect("sound");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(
        certified.signing_key.serialize_der(),
    ));
    let mut server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("it is there")
        .with_client_cert_verifier(Arc::new(AnyKey))
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("its key");
    server.alpn_protocols = vec![b"tessera/1".to_vec()];
    server.ticketer = Ticketer::new().expect("random numbers");
    let mut server = ServerConnection::new(Arc::new(server)).expect("sound");
    let name = ServerName::try_from(HV_NAME).expect("a name");
    let mut client = ClientConnection::new(Arc::clone(config), name).expect("sound");
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let mut bytes = Vec::new();
        take_all(|| client.wants_write().then(|| client.write_tls(&mut bytes)));
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).expect("memory");
            server.process_new_packets().expect("a good client");
        }
        let mut bytes = Vec::new();
        take_all(|| server.wants_write().then(|| server.write_tls(&mut bytes)));
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).expect("memory");
            client.process_new_packets().expect("believed");
        }
    }
    assert!(client.tls13_tickets_received() > 0, "the test works");
}

fn take_all(mut write: impl FnMut() -> Option<io::Result<usize>>) {
    while let Some(written) = write() {
        written.expect("memory");
    }
}

#[test]
fn a_session_that_a_guest_wants_to_resume_is_a_whole_handshake_and_no_ticket_comes() {
    let world = World::start(&[], &[]);
    let door = world.chain.door("rogue");
    let offers = Arc::new(Offers {
        kept: ClientSessionMemoryCache::new(8),
        taken: AtomicUsize::new(0),
    });
    let mut config = config(door.key_file.as_ref().expect("TLS"));
    config.resumption = Resumption::store(Arc::clone(&offers) as Arc<_>);
    config.enable_early_data = true;
    let config = Arc::new(config);
    give_tickets(&config);
    for number in 1..=2 {
        let mut stream = door.connect_with(Arc::clone(&config));
        stream.handshake().expect("let in");
        let offered = offers.taken.load(Ordering::Relaxed);
        assert_eq!(offered, number, "a ticket of the other server was offered");
        let session = stream.tls().expect("TLS");
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
        // dom0 answers, so that everything it sends of its own has come.
        let mut guest = RogueGuest::over(stream, &door);
        guest.say_hello();
        assert!(guest.receive().is_some(), "welcome");
        let session = guest.stream().tls().expect("TLS");
        assert_eq!(session.tls13_tickets_received(), 0);
        assert!(!session.is_early_data_accepted());
    }
    world.finish();
}

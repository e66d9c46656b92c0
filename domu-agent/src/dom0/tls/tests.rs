//! Handshakes against a dom0 that is rustls's server, in memory.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ServerConfig, ServerConnection};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::*;
use crate::channel_key::{ChannelKey, KeyAlgorithm, create};

/// Takes every raw public key whose owner has it.
#[derive(Debug)]
struct RawKeys;

impl ClientCertVerifier for RawKeys {
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
        unreachable!("TLS 1.3 alone is offered")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = SubjectPublicKeyInfoDer::from(cert.as_ref());
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &spki, dss, &algorithms)
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

/// A host: its HV, and the certificate of its channel key.
struct Host {
    hv_key: KeyPair,
    hv: CertificateParams,
    hv_certificate: CertificateDer<'static>,
}

impl Host {
    fn new() -> Self {
        let hv_key = KeyPair::generate().expect("P-256");
        let mut hv = CertificateParams::default();
        hv.distinguished_name.push(DnType::CommonName, "host one");
        let hv_certificate = hv.self_signed(&hv_key).expect("sound").der().clone();
        Self {
            hv_key,
            hv,
            hv_certificate,
        }
    }

    fn pin(&self) -> HvPin {
        HvPin::of(&self.hv_certificate)
    }

    /// The chain of a channel key for `name`, which is `changed`, and that key.
    fn channel_key(
        &self,
        name: &str,
        changed: impl Fn(&mut CertificateParams),
    ) -> (Vec<CertificateDer<'static>>, KeyPair) {
        let key = KeyPair::generate().expect("P-256");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        changed(&mut params);
        let issuer = Issuer::from_params(&self.hv, &self.hv_key);
        let own = params.signed_by(&key, &issuer).expect("sound");
        (vec![own.der().clone(), self.hv_certificate.clone()], key)
    }
}

fn server_config(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("there")
        .with_client_cert_verifier(Arc::new(RawKeys))
        .with_single_cert(chain, key)
        .expect("a key for it");
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    config
}

fn key(algorithm: KeyAlgorithm) -> ChannelKey {
    let dir = tempfile::tempdir().expect("a directory");
    create(&dir.path().join("key"), algorithm).expect("new")
}

fn agent(pins: Vec<HvPin>) -> Handshake {
    let tls = ClientTls::new(&key(KeyAlgorithm::Ed25519), pins).expect("TLS 1.3 is there");
    tls.handshake(ALPN).expect("random numbers")
}

/// Carries everything that waits to the server, as it comes; its answers are left in it.
fn deliver(bytes: &[u8], server: &mut ServerConnection) -> Result<(), Error> {
    let mut bytes = bytes;
    while !bytes.is_empty() {
        server.read_tls(&mut bytes).expect("memory");
        server.process_new_packets()?;
    }
    Ok(())
}

/// Brings a handshake to its end, dom0's bytes one by one if so wished.
fn shake_hands(
    mut handshake: Handshake,
    server: &mut ServerConnection,
    one_by_one: bool,
) -> Result<(Records, Option<HvPin>), TlsError> {
    for _ in 0..100_000 {
        let progress = handshake.advance();
        let sent = handshake.to_send().to_vec();
        handshake.on_sent(sent.len());
        let _ = deliver(&sent, server);
        if progress? == Progress::Done {
            return handshake.finish();
        }
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).expect("memory");
        }
        match one_by_one {
            false => handshake.on_bytes(&answer),
            true => {
                for byte in answer {
                    assert_eq!(handshake.advance()?, Progress::Waiting);
                    handshake.on_bytes(&[byte]);
                }
            }
        }
    }
    panic!("no end");
}

fn refused(handshake: Handshake, config: ServerConfig) -> TlsError {
    let mut server = ServerConnection::new(Arc::new(config)).expect("sound");
    let result = shake_hands(handshake, &mut server, false);
    assert!(server.is_handshaking(), "dom0 learns it");
    result.err().expect("not believed")
}

#[test]
fn plaintext_passes_both_ways_after_a_handshake_however_it_is_cut() {
    let host = Host::new();
    let (chain, server_key) = host.channel_key("hv.tessera.invalid", |_| ());
    let config = Arc::new(server_config(chain, &server_key));
    for (one_by_one, algorithm) in [(false, KeyAlgorithm::Ed25519), (true, KeyAlgorithm::P256)] {
        let key = key(algorithm);
        let tls = ClientTls::new(&key, vec![host.pin()]).expect("TLS 1.3 is there");
        let handshake = tls.handshake(ALPN).expect("random numbers");
        let mut server = ServerConnection::new(Arc::clone(&config)).expect("sound");
        let (mut records, pin) = shake_hands(handshake, &mut server, one_by_one).expect("believed");
        assert_eq!(pin, Some(host.pin()));
        assert!(!server.is_handshaking());
        let shown = server.peer_certificates().expect("shown");
        assert_eq!(shown[0].as_ref(), key.public().spki_der());

        let data: Vec<u8> = (0..=255).cycle().take(40_000).collect();
        let mut rest = data.as_slice();
        let mut received = Vec::new();
        while !rest.is_empty() {
            let sealed = records.seal(rest).expect("open");
            rest = &rest[sealed..];
            deliver(records.to_send(), &mut server).expect("good records");
            let sent = records.to_send().len();
            records.on_sent(sent);
            // It has read all there is, and waits for more.
            let _ = server.reader().read_to_end(&mut received);
        }
        assert_eq!(received, data);

        server.writer().write_all(&data).expect("room");
        server.send_close_notify();
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).expect("memory");
        }
        let mut received = Vec::new();
        let mut is_over = false;
        for part in answer.chunks(1_000) {
            assert!(!is_over, "not before the end");
            let take = |data: &[u8]| {
                received.extend_from_slice(data);
                Ok::<_, TlsError>(())
            };
            is_over = records.on_bytes(part, take).expect("good records");
        }
        assert!(is_over && received == data);
    }
}

#[test]
fn a_host_that_is_not_pinned_is_refused_with_its_pin() {
    let (host, other) = (Host::new(), Host::new());
    let (chain, key) = host.channel_key("hv.tessera.invalid", |_| ());
    let error = refused(agent(vec![other.pin()]), server_config(chain, &key));
    assert!(error.is_distrust());
    let text = error.to_string();
    assert!(
        text.contains(&host.pin().to_string()) && text.contains("hv_pins"),
        "{text}"
    );
}

#[test]
fn a_pinned_certificate_beside_a_strangers_key_is_refused() {
    let (host, other) = (Host::new(), Host::new());
    let (chain, key) = other.channel_key("hv.tessera.invalid", |_| ());
    let forged = vec![chain[0].clone(), host.hv_certificate.clone()];
    let error = refused(agent(vec![host.pin()]), server_config(forged, &key));
    assert!(matches!(error, TlsError::Certificate(_)), "{error}");
}

#[test]
fn a_chain_with_more_or_less_in_it_is_refused() {
    let host = Host::new();
    let (chain, key) = host.channel_key("hv.tessera.invalid", |_| ());
    let longer = vec![chain[0].clone(), chain[1].clone(), chain[1].clone()];
    for (chain, length) in [(vec![chain[0].clone()], 1), (longer, 3)] {
        let error = refused(agent(vec![host.pin()]), server_config(chain, &key));
        assert!(
            matches!(error, TlsError::Chain(n) if n == length),
            "{error}"
        );
    }
}

#[test]
fn dates_and_names_are_looked_at() {
    let host = Host::new();
    let hour = Duration::from_secs(3_600);
    let now = std::time::SystemTime::now();
    let (past, future) = ((now - hour).into(), (now + hour).into());
    let (chain, key) = host.channel_key("hv.tessera.invalid", |params| params.not_after = past);
    let error = refused(agent(vec![host.pin()]), server_config(chain, &key));
    assert!(matches!(error, TlsError::Time(_)), "{error}");
    assert!(error.to_string().contains("clock"), "{error}");
    let (chain, key) = host.channel_key("hv.tessera.invalid", |params| params.not_before = future);
    let error = refused(agent(vec![host.pin()]), server_config(chain, &key));
    assert!(matches!(error, TlsError::Time(_)), "{error}");
    let (chain, key) = host.channel_key("www.example", |_| ());
    let error = refused(agent(vec![host.pin()]), server_config(chain, &key));
    assert!(matches!(error, TlsError::Certificate(_)), "{error}");
}

#[test]
fn a_ca_below_the_hv_cannot_speak_for_it() {
    let host = Host::new();
    let (chain, key) = host.channel_key("hv.tessera.invalid", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let error = refused(agent(vec![host.pin()]), server_config(chain, &key));
    assert!(matches!(error, TlsError::Certificate(_)), "{error}");
}

#[test]
fn a_server_without_our_protocol_is_refused() {
    let host = Host::new();
    let (chain, key) = host.channel_key("hv.tessera.invalid", |_| ());
    let mut config = server_config(chain, &key);
    config.alpn_protocols.clear();
    let mut server = ServerConnection::new(Arc::new(config)).expect("sound");
    let result = shake_hands(agent(vec![host.pin()]), &mut server, false);
    let error = result.err().expect("no ALPN");
    assert!(error.to_string().contains("tessera/1"), "{error}");
}

#[test]
fn what_is_no_tls_is_refused() {
    for bytes in [
        &b"HTTP/1.0 400 Bad Request\r\n\r\n"[..],
        &[0, 0, 0, 4, 0xA1, 1, 2, 3],
    ] {
        let mut handshake = agent(vec![HvPin::of(b"")]);
        assert_eq!(handshake.advance().expect("a start"), Progress::Waiting);
        handshake.on_bytes(bytes);
        let mut result = handshake.advance();
        if result.is_ok() {
            // Long enough for a record of that length.
            handshake.on_bytes(&vec![0; 70_000]);
            result = handshake.advance();
        }
        let error = result.expect_err("no TLS");
        assert!(matches!(error, TlsError::OtherProtocol(_)), "{error}");
    }
}

#[test]
fn more_than_a_handshake_is_not_kept() {
    let mut handshake = agent(vec![HvPin::of(b"")]);
    handshake.on_bytes(&vec![22; 200_000]);
    assert!(matches!(handshake.advance(), Err(TlsError::TooEarly(_))));
}

#[test]
fn an_alert_of_dom0_after_the_handshake_is_its_no() {
    let host = Host::new();
    let (chain, server_key) = host.channel_key("hv.tessera.invalid", |_| ());
    let mut server =
        ServerConnection::new(Arc::new(server_config(chain, &server_key))).expect("sound");
    // The key of another is shown, so the signature does not fit.
    let (own, other) = (key(KeyAlgorithm::Ed25519), key(KeyAlgorithm::Ed25519));
    let shown = setup::for_tests(&own, &other, vec![host.pin()]);
    let handshake = shown.handshake(ALPN).expect("random numbers");
    let (mut records, _) = shake_hands(handshake, &mut server, false).expect("dom0 is believed");
    let mut answer = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut answer).expect("memory");
    }
    let error = records.on_bytes(&answer, |_| Ok::<_, TlsError>(()));
    let error = error.expect_err("refused");
    assert!(matches!(error, TlsError::Refused(_)), "{error}");
    assert!(error.to_string().contains("decrypt_error"), "{error}");
}

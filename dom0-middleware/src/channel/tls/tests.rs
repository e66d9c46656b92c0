//! Guests that do TLS as they must, and guests that do not.

use std::sync::Arc;
use std::time::Duration;

use proto::token::ConfirmationKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ResolvesClientCert};
use rustls::crypto::ring;
use rustls::pki_types::{self, CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{TlsConnector, client};

use super::*;
use crate::channel_key::{ChannelKey, testing::hv};
use crate::time::UnixTime;

const START: UnixTime = UnixTime::from_secs(1_795_234_029);

/// Believes every server; whom a guest believes is the agent's business.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: pki_types::UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
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
        let provider = ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn key_pair(algorithm: &'static rcgen::SignatureAlgorithm) -> (Arc<dyn SigningKey>, Vec<u8>) {
    let pair = rcgen::KeyPair::generate_for(algorithm).expect("a kind that ring makes");
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    let key = ring::sign::any_supported_type(&der).expect("a kind that rustls has");
    let spki = key.public_key().expect("it has one").to_vec();
    (key, spki)
}

/// Shows the raw public key `spki`, and signs with `key`.
fn raw(key: Arc<dyn SigningKey>, spki: Vec<u8>) -> Arc<dyn ResolvesClientCert> {
    let shown = CertifiedKey::new(vec![CertificateDer::from(spki)], key);
    Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(shown)))
}

fn guest(shown: Arc<dyn ResolvesClientCert>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("all there")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_cert_resolver(shown);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

fn good_guest() -> ClientConfig {
    let (key, spki) = key_pair(&rcgen::PKCS_ED25519);
    guest(raw(key, spki))
}

fn dom0() -> ChannelTls {
    let (signer, certificate) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, None);
    let key = ChannelKey::new(&signer, certificate, START).expect("certified");
    ChannelTls::new(Arc::new(key)).expect("TLS 1.3 is there")
}

type GuestStream = client::TlsStream<DuplexStream>;

/// Both ends of one handshake, at the start.
async fn meet(dom0: &ChannelTls, guest: ClientConfig) -> Met {
    meet_at(START, dom0, guest).await
}

/// How it ended at dom0 and at the guest.
type Met = (
    Result<Secured<DuplexStream>, ChannelTlsError>,
    std::io::Result<GuestStream>,
);

async fn meet_at(now: UnixTime, dom0: &ChannelTls, guest: ClientConfig) -> Met {
    let (ours, theirs) = duplex(64 << 10);
    let connector = TlsConnector::from(Arc::new(guest));
    let name = ServerName::try_from("hv.tessera.invalid").expect("a name");
    tokio::join!(dom0.accept(ours, now), async {
        let mut stream = connector.connect(name, theirs).await?;
        // dom0's no comes after what the guest takes for the end of the handshake.
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        Ok(stream)
    })
}

async fn refused(guest: ClientConfig) -> ChannelTlsError {
    let (accepted, _) = meet(&dom0(), guest).await;
    accepted.expect_err("not let in")
}

#[tokio::test]
async fn a_guest_with_a_raw_key_is_known_by_it() {
    for algorithm in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P256_SHA256] {
        let (key, spki) = key_pair(algorithm);
        let (accepted, guest) = meet(&dom0(), guest(raw(key, spki.clone()))).await;
        let mut accepted = accepted.expect("let in");
        assert_eq!(accepted.key.spki_der(), spki);
        let mut bytes = [0; 5];
        accepted.stream.read_exact(&mut bytes).await.expect("open");
        assert_eq!(&bytes, b"hello");
        let guest = guest.expect("let in");
        let session = guest.get_ref().1;
        assert_eq!(
            session.protocol_version(),
            Some(rustls::ProtocolVersion::TLSv1_3)
        );
        assert_eq!(session.alpn_protocol(), Some(ALPN));
        assert_eq!(session.peer_certificates().map(<[_]>::len), Some(2));
    }
}

#[tokio::test]
async fn the_right_public_key_with_the_signature_of_another_is_refused() {
    let (_, spki) = key_pair(&rcgen::PKCS_ED25519);
    let (other, _) = key_pair(&rcgen::PKCS_ED25519);
    let error = refused(guest(raw(other, spki))).await;
    assert!(matches!(error, ChannelTlsError::Tls(_)), "{error}");
    assert!(error.to_string().contains("ignature"), "{error}");
}

#[tokio::test]
async fn a_guest_without_a_key_or_with_a_certificate_is_refused() {
    #[derive(Debug)]
    struct Nothing;
    impl ResolvesClientCert for Nothing {
        fn resolve(
            &self,
            _hints: &[&[u8]],
            _schemes: &[SignatureScheme],
        ) -> Option<Arc<CertifiedKey>> {
            None
        }
        fn only_raw_public_keys(&self) -> bool {
            true
        }
        fn has_certs(&self) -> bool {
            false
        }
    }
    let error = refused(guest(Arc::new(Nothing))).await;
    assert!(
        error.to_string().contains("peer sent no certificates"),
        "{error}"
    );

    let (key, _) = key_pair(&rcgen::PKCS_ED25519);
    let (_, certificate) = hv(&rcgen::PKCS_ED25519, None);
    let shown = CertifiedKey::new(vec![CertificateDer::from(certificate.der().to_vec())], key);
    let x509 = guest(Arc::new(rustls::sign::SingleCertAndKey::from(shown)));
    let error = refused(x509).await;
    assert!(error.to_string().contains("CertificateType"), "{error}");
}

#[tokio::test]
async fn other_kinds_of_raw_keys_are_refused() {
    let (key, spki) = key_pair(&rcgen::PKCS_ECDSA_P384_SHA384);
    let error = refused(guest(raw(key, spki))).await;
    assert!(
        matches!(error, ChannelTlsError::Tls(_) | ChannelTlsError::Ended),
        "{error}"
    );

    // The key of a kind that is taken, in a form of SubjectPublicKeyInfo that is not.
    let (key, mut spki) = key_pair(&rcgen::PKCS_ED25519);
    spki.push(0);
    let error = refused(guest(raw(key, spki))).await;
    assert!(matches!(error, ChannelTlsError::Tls(_)), "{error}");
}

#[tokio::test]
async fn older_tls_and_other_protocols_are_refused() {
    let tls12 = {
        let (key, spki) = key_pair(&rcgen::PKCS_ED25519);
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .expect("there")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_client_cert_resolver(raw(key, spki));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config
    };
    let error = refused(tls12).await;
    assert!(matches!(error, ChannelTlsError::Tls(_)), "{error}");

    for alpn in [vec![], vec![b"h2".to_vec()], vec![b"tessera/2".to_vec()]] {
        let mut config = good_guest();
        config.alpn_protocols = alpn;
        let (accepted, guest) = meet(&dom0(), config).await;
        let error = accepted.expect_err("not let in");
        assert!(matches!(error, ChannelTlsError::NoAlpn), "{error}");
        let error = guest.expect_err("not let in").to_string();
        assert!(error.contains("NoApplicationProtocol"), "{error}");
    }
}

#[tokio::test]
async fn no_session_is_resumed_and_no_ticket_comes() {
    let config = good_guest();
    let dom0 = dom0();
    for _ in 0..3 {
        let (accepted, guest) = meet(&dom0, config.clone()).await;
        let mut accepted = accepted.expect("let in");
        let mut guest = guest.expect("let in");
        accepted.stream.write_all(b"welcome").await.expect("open");
        accepted.stream.shutdown().await.expect("open");
        let mut bytes = Vec::new();
        guest
            .read_to_end(&mut bytes)
            .await
            .expect("an end in order");
        assert_eq!(bytes, b"welcome");
        let session = guest.get_ref().1;
        assert_eq!(session.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
        assert!(!session.is_early_data_accepted());
    }
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_not_shown() {
    let (ours, _theirs) = duplex(1 << 10);
    let later = UnixTime(START.0 + Duration::from_secs(24 * 3_600));
    let refused = dom0().accept(ours, later).await;
    assert!(matches!(refused, Err(ChannelTlsError::CertificateExpired)));
}

#[tokio::test]
async fn connections_stand_over_a_renewal_and_new_ones_show_the_new_certificate() {
    let (signer, certificate) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, None);
    let key = Arc::new(ChannelKey::new(&signer, certificate, START).expect("certified"));
    let dom0 = ChannelTls::new(Arc::clone(&key)).expect("TLS 1.3 is there");
    let (before, guest_before) = meet(&dom0, good_guest()).await;
    let half = UnixTime(START.0 + Duration::from_secs(12 * 3_600));
    assert!(key.is_due(half));
    key.renew(&signer, half).expect("renewed");
    let (_after, guest_after) = meet_at(half, &dom0, good_guest()).await;
    let shown = |guest: &GuestStream| {
        let shown = guest.get_ref().1.peer_certificates();
        shown.expect("shown").to_vec()
    };
    let mut guest_before = guest_before.expect("let in");
    let guest_after = guest_after.expect("let in");
    assert_ne!(shown(&guest_before)[0], shown(&guest_after)[0]);
    assert_eq!(shown(&guest_before)[1], shown(&guest_after)[1]);
    let mut before = before.expect("let in");
    before.stream.write_all(b"still here").await.expect("open");
    before.stream.flush().await.expect("open");
    let mut bytes = [0; 10];
    guest_before.read_exact(&mut bytes).await.expect("open");
    assert_eq!(&bytes, b"still here");
}

#[tokio::test]
async fn a_guest_that_leaves_or_says_nonsense_is_no_reason_for_anything_else() {
    let (ours, theirs) = duplex(1 << 10);
    drop(theirs);
    let refused = dom0().accept(ours, START).await;
    assert!(matches!(refused, Err(ChannelTlsError::Ended)));

    let (ours, mut theirs) = duplex(1 << 10);
    theirs
        .write_all(b"GET / HTTP/1.0\r\n\r\n")
        .await
        .expect("room");
    let refused = dom0().accept(ours, START).await;
    assert!(matches!(refused, Err(ChannelTlsError::Tls(_))));
}

#[test]
fn a_shown_key_is_one_and_only_one() {
    let (_, spki) = key_pair(&rcgen::PKCS_ED25519);
    let shown = CertificateDer::from(spki.clone());
    let key = client_key::confirmation_key(std::slice::from_ref(&shown));
    assert_eq!(key, ConfirmationKey::from_spki_der(&spki).ok());
    assert_eq!(client_key::confirmation_key(&[]), None);
    assert_eq!(client_key::confirmation_key(&[shown.clone(), shown]), None);
}

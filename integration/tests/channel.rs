//! Attacks on the TLS of a channel, each by a guest whose neighbours go about their business.
//!
//! The client is rustls, driven by hand: it shows what no agent would. What is refused before
//! `hello` is in the audit as `protocol`, with the reason.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use integration::channel_client::{GuestDoor, config_showing, raw_key};
use integration::footprint::Footprint;
use integration::rogue_guest::RogueGuest;
use integration::wait;
use integration::world::World;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use rsa::pkcs8::EncodePrivateKey;
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, SignatureAlgorithm, SignatureScheme};
use serde_json::Value;

/// The domid of the guest `rogue`.
const ROGUE: u16 = 1;

fn new_key(algorithm: &'static rcgen::SignatureAlgorithm) -> Arc<dyn SigningKey> {
    let pair = rcgen::KeyPair::generate_for(algorithm).expect("a kind that ring makes");
    key_of(&pair.serialize_der())
}

fn key_of(pkcs8: &[u8]) -> Arc<dyn SigningKey> {
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
    any_supported_type(&der).expect("a kind that rustls has")
}

fn public(key: &Arc<dyn SigningKey>) -> Vec<u8> {
    key.public_key().expect("it has one").to_vec()
}

/// The guest's own key.
fn own_key(door: &GuestDoor) -> Arc<dyn SigningKey> {
    let file = door.key_file.as_ref().expect("a channel with TLS");
    let der = PrivateKeyDer::from_pem_file(file).expect("a key");
    any_supported_type(&der).expect("a channel key")
}

/// Signs whatever dom0 has asked for.
#[derive(Debug)]
struct Stubborn(Arc<dyn SigningKey>);

impl SigningKey for Stubborn {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let schemes = default_provider().signature_verification_algorithms;
        self.0.choose_scheme(&schemes.supported_schemes())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

/// Has nothing to show.
#[derive(Debug)]
struct Nothing;

impl ResolvesClientCert for Nothing {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Makes TLS as `config` says and expects that nothing comes of it.
fn expect_no_channel(door: &GuestDoor, what: &str, config: ClientConfig) {
    let mut stream = door.connect_with(Arc::new(config));
    // In TLS 1.3 the guest is through before dom0 has looked at its key.
    let said = stream.handshake().and_then(|()| {
        let welcome = stream.read(&mut [0; 64])?;
        Err(match welcome {
            0 => io::ErrorKind::UnexpectedEof.into(),
            _ => io::Error::other("dom0 said something"),
        })
    });
    let error: io::Error = said
        .map(|()| unreachable!())
        .expect_err("an error each way");
    assert!(!error.to_string().contains("dom0 said"), "{what}");
    assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "{what}: no answer");
}

fn tls_refusals(world: &World) -> Vec<String> {
    let records = world.chain.audited("session-refused");
    let of_rogue = records.iter().filter(|record| record["domid"] == ROGUE);
    let reasons = of_rogue.filter_map(|record: &Value| record["reason"].as_str());
    let of_tls = reasons.filter(|reason| reason.contains("channel: "));
    of_tls.map(str::to_owned).collect()
}

#[test]
fn what_is_not_the_guests_own_raw_key_over_tls_1_3_opens_nothing() {
    let world = World::start(&[], &[]);
    let door = world.chain.door("rogue");
    let (own, other) = (own_key(&door), new_key(&rcgen::PKCS_ED25519));
    let p384 = new_key(&rcgen::PKCS_ECDSA_P384_SHA384);
    let rsa = rsa::RsaPrivateKey::new(&mut rand::thread_rng(), 2_048).expect("a key");
    let rsa = key_of(rsa.to_pkcs8_der().expect("PKCS#8").as_bytes());
    let stubborn = |key: &Arc<dyn SigningKey>| Arc::new(Stubborn(Arc::clone(key))) as Arc<_>;
    let certificate = world.credential.certificate.clone();
    let x509 = CertifiedKey::new(vec![certificate], Arc::clone(&own));
    let mut longer = public(&own);
    longer.push(0);
    let tls12 = {
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .expect("it is there")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_client_cert_resolver(raw_key(public(&own), Arc::clone(&own)));
        config.alpn_protocols = vec![b"tessera/1".to_vec()];
        config
    };
    let mut no_alpn = config_showing(raw_key(public(&own), Arc::clone(&own)));
    no_alpn.alpn_protocols.clear();
    let mut other_alpn = no_alpn.clone();
    other_alpn.alpn_protocols = vec![b"tessera/2".to_vec()];
    let cases = [
        (
            "its own public key with the signature of another",
            config_showing(raw_key(public(&own), other)),
        ),
        ("no key", config_showing(Arc::new(Nothing))),
        (
            "an X.509 certificate",
            config_showing(Arc::new(SingleCertAndKey::from(x509))),
        ),
        (
            "a P-384 key",
            config_showing(raw_key(public(&p384), stubborn(&p384))),
        ),
        (
            "an RSA key",
            config_showing(raw_key(public(&rsa), stubborn(&rsa))),
        ),
        (
            "its own key in another form",
            config_showing(raw_key(longer, own)),
        ),
        ("TLS 1.2", tls12),
        ("no ALPN", no_alpn),
        ("another ALPN", other_alpn),
    ];
    world.undisturbed("bad TLS", || {
        for (what, config) in cases {
            expect_no_channel(&door, what, config);
        }
        // Bare messages, as on a channel for development.
        let bare = GuestDoor {
            key_file: None,
            ..door.clone()
        };
        let mut bare = RogueGuest::connect(&bare);
        bare.say_hello();
        let mut bytes = Vec::new();
        let _ = bare.into_silence().read_to_end(&mut bytes);
        assert!(bytes.starts_with(&[21, 3]), "a TLS alert: {bytes:?}");
    });
    let first = wait::until("the audit has it", || {
        tls_refusals(&world).into_iter().next()
    });
    assert!(first.contains("ignature"), "{first}");
    world.finish();
}

/// The beginning of a ClientHello that never goes on.
const STALLED: [u8; 7] = [22, 3, 1, 2, 0, 1, 0];

#[test]
fn guests_that_stall_in_tls_take_places_of_their_own_domain_and_not_for_long() {
    let world = World::start(&[("hello_ms", 1_000)], &[]);
    let door = world.chain.door("rogue");
    world.undisturbed("stalled handshakes", || {
        let mut stalled: Vec<UnixStream> = (0..6).map(|_| door.connect_bare()).collect();
        for stream in &mut stalled {
            stream.write_all(&STALLED).expect("the socket has room");
        }
        // All are cut, those as well that waited to be accepted.
        for mut stream in stalled {
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    drop(RogueGuest::admitted(&door));
    world.finish();
}

/// Connects without waiting for dom0 to accept; nothing when there is no room for it.
fn connect_at_once(door: &GuestDoor) -> Option<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
    let address = UnixAddr::new(&door.channel).expect("a short path");
    connect(fd.as_raw_fd(), &address).ok()?;
    Some(fd.into())
}

#[test]
fn a_thousand_connections_of_one_guest_are_a_handful_in_dom0() {
    let mut world = World::start(&[("hello_ms", 1_000)], &[]);
    let door = world.chain.door("rogue");
    let middleware = world.chain.middleware().id();
    let before = Footprint::of(middleware);
    world.undisturbed("a thousand connections", || {
        let mut open = Vec::new();
        for number in 0..1_000 {
            if let Some(mut stream) = connect_at_once(&door) {
                let _ = stream.write_all(&STALLED);
                open.push(stream);
            }
            if number % 100 == 0 {
                let now = Footprint::of(middleware);
                let more = now.descriptors.saturating_sub(before.descriptors);
                assert!(more < 40, "{more} more descriptors");
            }
        }
        // More than dom0 and the queue before it hold, and far less than a thousand.
        assert!((5..200).contains(&open.len()), "{}", open.len());
    });
    world.finish();
}

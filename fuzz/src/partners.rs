//! A card and a TLS server that keep to the rules.

use std::io::{Cursor, Read, Write};
use std::sync::{Arc, LazyLock};

use proto::id::IdentityName;
use proto::piv::{CertificateObject, Slot};
use proto::tls::ProtocolVersion;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::SigningKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use soft_card::eeprom::VolatileEeprom;
use soft_card::pin::{PinState, StoredPin};
use soft_card::piv::{Objects, SlotKey, VolatileMemory};
use soft_card::{Card, CardSettings, Identity, IdentityPem, PivCard};

/// A CA, a server and a client, made once in a process.
pub struct Pki {
    ca: CertifiedIssuer<'static, KeyPair>,
    server: Certified,
    client: Certified,
    tls12: Arc<ServerConfig>,
    tls13: Arc<ServerConfig>,
}

struct Certified {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

/// The name of the server.
pub const SERVER_NAME: &str = "www.example.org";

/// The identity on the card.
pub const IDENTITY: &str = "alice";

static PKI: LazyLock<Pki> = LazyLock::new(Pki::new);

impl Pki {
    /// That of this process.
    pub fn get() -> &'static Self {
        &PKI
    }

    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "CA");
        let key = KeyPair::generate().expect("P-256");
        let ca = CertifiedIssuer::self_signed(params, key).expect("fixed parameters");
        let server = Certified::issue(&ca, SERVER_NAME);
        let client = Certified::issue(&ca, "alice.example.org");
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).expect("a CA");
        let config = |version| {
            let provider = Arc::new(ring::default_provider());
            let clients = WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots.clone()),
                Arc::clone(&provider),
            )
            .build()
            .expect("one root");
            let key = PrivatePkcs8KeyDer::from(server.key.serialize_der());
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .expect("a version of the provider")
                .with_client_cert_verifier(clients)
                .with_single_cert(vec![server.certificate.clone()], PrivateKeyDer::from(key))
                .expect("a certificate with its key");
            config.session_storage = ServerSessionMemoryCache::new(8);
            Arc::new(config)
        };
        Self {
            tls12: config(&TLS12),
            tls13: config(&TLS13),
            ca,
            server,
            client,
        }
    }

    /// The CA's certificate.
    pub fn ca_der(&self) -> CertificateDer<'static> {
        self.ca.der().clone()
    }

    /// The server's certificate.
    pub fn server_der(&self) -> &[u8] {
        &self.server.certificate
    }

    /// The certificate on the card.
    pub fn client_der(&self) -> &[u8] {
        &self.client.certificate
    }

    /// The key on the card.
    pub fn client_key(&self) -> Arc<dyn SigningKey> {
        let der = PrivatePkcs8KeyDer::from(self.client.key.serialize_der());
        ring::sign::any_supported_type(&PrivateKeyDer::from(der)).expect("P-256")
    }

    /// A card with the factory PINs 0000 and 00000000, just powered on. With `tls13` it offers
    /// TLS 1.3 by itself.
    pub fn card(&self, tls13: bool) -> Card {
        let (ca, key) = (self.ca.pem(), self.client.key.serialize_pem());
        let parts = IdentityPem {
            key: key.as_bytes(),
            certificates: self.client.pem.as_bytes(),
            ca: ca.as_bytes(),
        };
        let name: IdentityName = IDENTITY.parse().expect("printable");
        let identity = Identity::from_pem(name, "alice@example.org".to_owned(), parts);
        let identity = identity.expect("parts that belong together");
        let pin = |digits| StoredPin::padded(digits).expect("short enough");
        let pins = PinState::new(pin(b"0000"), pin(b"00000000"));
        let settings = CardSettings {
            highest_version: match tls13 {
                true => ProtocolVersion::TLS1_3,
                false => ProtocolVersion::TLS1_2,
            },
            ..CardSettings::default()
        };
        Card::new(vec![identity], pins, Box::new(VolatileEeprom), settings)
    }

    /// A PIV card with PIN 123456 and PUK 12345678, just powered on. The client's key is in 9A, 9C
    /// and 9E.
    pub fn piv_card(&self) -> PivCard {
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.client.key.serialize_der()));
        let key = || SlotKey::from_der(&der).expect("P-256");
        let slots = [
            Slot::Authentication,
            Slot::Signature,
            Slot::CardAuthentication,
        ];
        let mut objects = Objects::fresh(*b"tessera-fuzzing.");
        let certificate = CertificateObject {
            der: self.client.certificate.to_vec(),
            compressed: false,
        };
        let room = objects.insert_certificate(Slot::Authentication, &certificate);
        room.expect("a small certificate");
        let pin = |digits| StoredPin::padded(digits).expect("short enough");
        let pins = PinState::new(pin(b"123456"), pin(b"12345678"));
        let keys = slots.map(|slot| (slot, key())).into();
        PivCard::new(keys, objects, pins, Box::new(VolatileMemory::default()))
    }

    /// The server's end of a connection.
    pub fn connect(&self, tls13: bool) -> Server {
        let config = if tls13 { &self.tls13 } else { &self.tls12 };
        let connection = ServerConnection::new(Arc::clone(config));
        Server(connection.expect("a usable configuration"))
    }
}

impl Certified {
    fn issue(ca: &CertifiedIssuer<'static, KeyPair>, name: &str) -> Self {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a DNS name");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("P-256");
        let certificate = params.signed_by(&key, ca).expect("fixed parameters");
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            key,
        }
    }
}

/// One connection of the server.
pub struct Server(ServerConnection);

impl Server {
    /// Takes the client's bytes. What it makes of bad ones is its business.
    pub fn receive(&mut self, bytes: &[u8]) {
        let mut rest = Cursor::new(bytes);
        while rest.position() < bytes.len() as u64 {
            match self.0.read_tls(&mut rest) {
                Ok(1..) if self.0.process_new_packets().is_ok() => {}
                _ => return,
            }
            // What the client says behind its Finished is of no interest.
            let _ = self.0.reader().read(&mut [0; 4096]);
        }
    }

    /// What it has to say.
    pub fn flush(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut out).expect("memory");
        }
        out
    }

    /// Sends data, once the handshake is over.
    pub fn send(&mut self, data: &[u8]) {
        self.0.writer().write_all(data).expect("a buffer");
    }
}

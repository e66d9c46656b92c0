//! Servers in this process, and a card in software.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Cursor, Read as _, Write as _};
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex};

use proto::id::DomainUuid;
use proto::tls::{Opened, ProtocolVersion, Record, RecordLayer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SigningKey;
use rustls::version::{TLS12, TLS13};
use rustls::{KeyLog, RootCertStore, ServerConfig, ServerConnection, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::card::{CardSession, SessionError, Trust};
use crate::engine::{Engine, EngineRequest, EngineStep, Engines, SignDoor, TicketTaker};

pub(super) const SERVER_NAME: &str = "www.example.org";
pub(super) const VERSIONS: [ProtocolVersion; 2] =
    [ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3];

/// A CA, a server, and three identities of a card.
pub(super) struct Pki {
    ca: CertifiedIssuer<'static, KeyPair>,
    server: (CertificateDer<'static>, KeyPair),
    cards: [(CertificateDer<'static>, KeyPair); 3],
}

/// The key of an identity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Key {
    Rsa2048,
    P256,
    P384,
}

pub(super) const KEYS: [Key; 3] = [Key::Rsa2048, Key::P256, Key::P384];

static PKI: LazyLock<Pki> = LazyLock::new(Pki::new);

impl Pki {
    pub(super) fn get() -> &'static Self {
        &PKI
    }

    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("P-256");
        // Two CAs of one name would be taken for one.
        let name = format!("CA {:02x?}", key.public_key_raw());
        params.distinguished_name.push(DnType::CommonName, name);
        let ca = CertifiedIssuer::self_signed(params, key);
        let ca = ca.expect("fixed parameters");
        let issue = |names: &[&str], key: KeyPair| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let params = CertificateParams::new(names).expect("names");
            let certificate = params.signed_by(&key, &ca).expect("fixed parameters");
            (certificate.der().clone(), key)
        };
        let rsa = include_str!("../../../../integration/keys/rsa2048-card.key.pem");
        let ecdsa = |algorithm| KeyPair::generate_for(algorithm).expect("a key");
        let names = [SERVER_NAME, "other.example.org", "192.0.2.7"];
        let server = issue(&names, ecdsa(&PKCS_ECDSA_P256_SHA256));
        let cards = [
            issue(
                &["alice.example.org"],
                KeyPair::from_pem(rsa).expect("a key"),
            ),
            issue(&["alice.example.org"], ecdsa(&PKCS_ECDSA_P256_SHA256)),
            issue(&["alice.example.org"], ecdsa(&PKCS_ECDSA_P384_SHA384)),
        ];
        Self { ca, server, cards }
    }

    pub(super) fn trust(&self) -> Arc<Trust> {
        let trust = Trust::load(&[self.ca.der().clone()], HashMap::new());
        Arc::new(trust.expect("one CA"))
    }

    pub(super) fn server_der(&self) -> &[u8] {
        &self.server.0
    }

    fn card(&self, key: Key) -> &(CertificateDer<'static>, KeyPair) {
        &self.cards[key as usize]
    }

    pub(super) fn card_der(&self, key: Key) -> &[u8] {
        &self.card(key).0
    }
}

impl Key {
    /// What a card with this key signs by.
    pub(super) fn schemes(self) -> Vec<SignatureScheme> {
        match self {
            Self::Rsa2048 => vec![
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
                SignatureScheme::RSA_PKCS1_SHA256,
            ],
            Self::P256 => vec![SignatureScheme::ECDSA_NISTP256_SHA256],
            Self::P384 => vec![SignatureScheme::ECDSA_NISTP384_SHA384],
        }
    }
}

/// A request of one domain for [`SERVER_NAME`].
pub(super) fn request(key: Key) -> EngineRequest {
    EngineRequest {
        domain: DomainUuid::from_bytes([7; 16]),
        seid: "se-00".parse().expect("a SEID"),
        identity: "9a".parse().expect("a name"),
        certificates: vec![Pki::get().card_der(key).to_vec()],
        schemes: key.schemes(),
        server_name: SERVER_NAME.to_owned(),
        alpn: Vec::new(),
        min_version: ProtocolVersion::TLS1_2,
        max_version: ProtocolVersion::TLS1_3,
        resume: true,
        trust: Pki::get().trust(),
        max_bytes: 256 << 10,
    }
}

/// A card in software that remembers what it was asked.
#[derive(Clone)]
pub(super) struct SoftCard {
    key: Arc<dyn SigningKey>,
    /// What it signs instead, or why it does not.
    instead: Option<Result<Vec<u8>, SessionError>>,
    asked: Rc<RefCell<Vec<SignatureScheme>>>,
}

impl SoftCard {
    pub(super) fn new(key: Key) -> Self {
        let der = Pki::get().card(key).1.serialize_der();
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der));
        Self {
            key: ring::sign::any_supported_type(&der).expect("a key of ring's kinds"),
            instead: None,
            asked: Rc::default(),
        }
    }

    pub(super) fn that_answers(key: Key, answer: Result<Vec<u8>, SessionError>) -> Self {
        Self {
            instead: Some(answer),
            ..Self::new(key)
        }
    }

    pub(super) fn asked(&self) -> Vec<SignatureScheme> {
        self.asked.borrow().clone()
    }

    pub(super) fn door(&self) -> Box<dyn SignDoor> {
        Box::new(self.clone())
    }
}

impl SignDoor for SoftCard {
    fn sign(&mut self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        self.asked.borrow_mut().push(scheme);
        if let Some(instead) = &self.instead {
            return instead.clone();
        }
        let signer = self
            .key
            .choose_scheme(&[scheme])
            .expect("a scheme of the key");
        Ok(signer.sign(message).expect("a signature"))
    }
}

/// A server's configuration, for many connections.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) config: ServerConfig,
    pub(super) secrets: Arc<Secrets>,
}

/// What a server knows of its secrets.
#[derive(Debug, Default)]
pub(super) struct Secrets(Mutex<Vec<(String, Vec<u8>)>>);

impl Secrets {
    /// The one last logged under `label`.
    pub(super) fn last(&self, label: &str) -> Vec<u8> {
        let secrets = self.0.lock().expect("no panic");
        let found = secrets.iter().rev().find(|(name, _)| name == label);
        found.expect("it was logged").1.clone()
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        let mut secrets = self.0.lock().expect("no panic");
        secrets.push((label.to_owned(), secret.to_vec()));
    }
}

impl Server {
    /// A server that demands a client's certificate.
    pub(super) fn new(version: ProtocolVersion) -> Self {
        Self::of(Pki::get(), version, aws_lc_rs::default_provider(), true)
    }

    /// A server that asks for none.
    pub(super) fn open_to_all(version: ProtocolVersion) -> Self {
        Self::of(Pki::get(), version, aws_lc_rs::default_provider(), false)
    }

    pub(super) fn of(
        pki: &Pki,
        version: ProtocolVersion,
        provider: CryptoProvider,
        asks: bool,
    ) -> Self {
        let provider = Arc::new(provider);
        let version = match version {
            ProtocolVersion::TLS1_2 => &TLS12,
            _ => &TLS13,
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .expect("a version of the provider");
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(pki.ca.der().clone()).expect("a CA");
            let clients =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            builder.with_client_cert_verifier(clients.build().expect("one root"))
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = &pki.server;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = builder
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::from(key))
            .expect("a certificate with its key");
        let secrets = Arc::new(Secrets::default());
        config.key_log = Arc::clone(&secrets) as Arc<_>;
        Self { config, secrets }
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    pub(super) fn connect(&self) -> Link {
        let connection = ServerConnection::new(Arc::new(self.config.clone()));
        Link(connection.expect("a usable configuration"))
    }
}

/// One connection of a server.
pub(super) struct Link(pub(super) ServerConnection);

impl Link {
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), rustls::Error> {
        let mut rest = Cursor::new(bytes);
        while self.0.read_tls(&mut rest).expect("memory") > 0 {
            self.0.process_new_packets()?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut out).expect("memory");
        }
        out
    }

    pub(super) fn say(&mut self, data: &[u8]) {
        self.0.writer().write_all(data).expect("a buffer");
    }
}

/// A handshake that succeeded.
pub(super) struct Done {
    pub(super) session: Box<CardSession>,
    pub(super) tickets: Option<TicketTaker>,
    pub(super) link: Link,
    /// All that the client said.
    pub(super) client: Vec<u8>,
    /// All that the server said.
    pub(super) server: Vec<u8>,
}

/// One that did not.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: SessionError,
    pub(super) alert: Option<Vec<u8>>,
}

/// Runs a handshake.
pub(super) fn handshake(
    engines: &Engines,
    request: EngineRequest,
    link: Link,
    card: &SoftCard,
) -> Result<Done, Failure> {
    let begun = engines.begin(request);
    let (engine, hello) = begun.map_err(|error| Failure { error, alert: None })?;
    go_on(engine, hello, link, |engine, flight| {
        engine.on_records(flight, card.door())
    })
}

/// Runs a handshake that has begun, with `take` giving the engine each flight.
pub(super) fn go_on(
    mut engine: Engine,
    hello: Vec<u8>,
    mut link: Link,
    mut take: impl FnMut(Engine, &[u8]) -> EngineStep,
) -> Result<Done, Failure> {
    let mut client = hello;
    let mut told = 0;
    let mut server = Vec::new();
    loop {
        // What the server thinks of it, it says in an alert.
        let _ = link.receive(&client[told..]);
        told = client.len();
        let flight = link.flush();
        assert!(!flight.is_empty(), "server and client wait for each other");
        server.extend_from_slice(&flight);
        match take(engine, &flight) {
            EngineStep::AwaitServer { engine: next, out } => {
                client.extend(out);
                engine = next;
            }
            EngineStep::Established {
                session,
                out,
                tickets,
            } => {
                let _ = link.receive(&out);
                client.extend(out);
                server.extend(link.flush());
                return Ok(Done {
                    session,
                    tickets,
                    link,
                    client,
                    server,
                });
            }
            EngineStep::Failed { error, alert } => return Err(Failure { error, alert }),
        }
    }
}

/// What a record layer with the keys of a handshake has read and what the taker of tickets is left.
pub(super) struct Carried {
    pub(super) data: Vec<u8>,
    pub(super) alerts: Vec<String>,
    pub(super) tickets: Vec<Zeroizing<Vec<u8>>>,
    pub(super) taker: Option<TicketTaker>,
    pub(super) first_record: Vec<u8>,
}

impl Done {
    /// Carries data both ways under the keys that were handed over; each side must understand the
    /// other. What the server said behind the handshake comes first.
    pub(super) fn carry(self) -> Carried {
        let Self {
            session,
            tickets: taker,
            mut link,
            server,
            ..
        } = self;
        let consumed = usize::try_from(session.consumed).expect("short");
        let mut layer = RecordLayer::new(session.keys).expect("keys that fit together");
        let mut carried = Carried {
            data: Vec::new(),
            alerts: Vec::new(),
            tickets: Vec::new(),
            taker,
            first_record: Vec::new(),
        };
        carried.read(&mut layer, &server[consumed..]);
        for round in 0..3_u8 {
            let mut out = Vec::new();
            layer.seal(&[round; 100], &mut out).expect("a fresh key");
            if round == 0 {
                carried.first_record.clone_from(&out);
            }
            if link.receive(&out).is_err() {
                return carried;
            }
            let mut data = [0; 200];
            assert_eq!(link.0.reader().read(&mut data).expect("data"), 100);
            assert_eq!(data[..100], [round; 100]);
            link.say(&[round | 0x80; 50]);
            carried.data.clear();
            carried.read(&mut layer, &link.flush());
            assert_eq!(carried.data, [round | 0x80; 50]);
        }
        carried
    }

    /// What the server said behind the handshake.
    pub(super) fn surplus(&self) -> &[u8] {
        let consumed = usize::try_from(self.session.consumed).expect("short");
        &self.server[consumed..]
    }

    /// The same as [`carry`](Self::carry), and has the engine take the server's tickets.
    pub(super) fn take_tickets(self) -> usize {
        let mut carried = self.carry();
        let mut taker = carried
            .taker
            .take()
            .expect("TLS 1.3, and resumption is allowed");
        for ticket in &carried.tickets {
            taker.take(ticket).expect("a good ticket");
        }
        carried.tickets.len()
    }
}

impl Carried {
    fn read(&mut self, layer: &mut RecordLayer, bytes: &[u8]) {
        for record in Record::decode_all(bytes).expect("whole records") {
            let mut bytes = record.into_bytes();
            match layer.open(&mut bytes).expect("a record under these keys") {
                Opened::Data(data) => self.data.extend_from_slice(data),
                Opened::NewSessionTickets(tickets) => self.tickets.extend(tickets),
                Opened::Alert(alert) => self.alerts.push(alert.to_string()),
                Opened::Nothing => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

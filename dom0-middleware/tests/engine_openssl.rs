//! The engine for cards that only sign against `openssl s_server`, which demands a certificate.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dom0_middleware::card::{CardSession, SessionError, Trust};
use dom0_middleware::engine::{EngineRequest, EngineStep, Engines, SignDoor, TicketTaker};
use proto::id::DomainUuid;
use proto::tls::{Opened, ProtocolVersion, RecordLayer, RecordReader};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::SignatureScheme;
use rustls::crypto::ring;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const SERVER_NAME: &str = "www.example.org";

#[test]
fn openssl_takes_every_key_in_full_and_resumes() {
    for (version, option) in [
        (ProtocolVersion::TLS1_2, "-tls1_2"),
        (ProtocolVersion::TLS1_3, "-tls1_3"),
    ] {
        for fragment in ["16384", "512"] {
            let world = World::new();
            let server = world.serve(&[option, "-max_send_frag", fragment]);
            for (number, key) in world.keys().into_iter().enumerate() {
                let resumed: Vec<bool> = (0..3)
                    .map(|_| world.session(&server, version, number, &key))
                    .collect();
                assert_eq!(resumed, [false, true, true], "{version}, key {number}");
            }
        }
    }
}

/// A CA, three identities of a card, the engines.
struct World {
    folder: tempfile::TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
    cards: Vec<(Vec<u8>, KeyPair, SignatureScheme)>,
    engines: Engines,
}

/// One `openssl s_server`.
struct Server {
    process: Child,
    address: String,
}

impl World {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "CA");
        let key = KeyPair::generate().expect("P-256");
        let ca = CertifiedIssuer::self_signed(params, key).expect("fixed parameters");
        let rsa = include_str!("../../integration/keys/rsa2048-card.key.pem");
        let ecdsa = |algorithm| KeyPair::generate_for(algorithm).expect("a key");
        let cards = [
            (
                KeyPair::from_pem(rsa).expect("a key"),
                SignatureScheme::RSA_PSS_SHA256,
            ),
            (
                ecdsa(&rcgen::PKCS_ECDSA_P256_SHA256),
                SignatureScheme::ECDSA_NISTP256_SHA256,
            ),
            (
                ecdsa(&rcgen::PKCS_ECDSA_P384_SHA384),
                SignatureScheme::ECDSA_NISTP384_SHA384,
            ),
        ];
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        let server_key = KeyPair::generate().expect("P-256");
        let (_, pem) = issue(&ca, SERVER_NAME, &server_key);
        write("ca.pem", &ca.pem());
        write("server.pem", &pem);
        write("server.key", &server_key.serialize_pem());
        let cards = cards.into_iter().map(|(key, scheme)| {
            let (der, _) = issue(&ca, "alice.example.org", &key);
            (der, key, scheme)
        });
        Self {
            cards: cards.collect(),
            folder,
            ca,
            engines: Engines::new(),
        }
    }

    fn keys(&self) -> Vec<Arc<dyn SigningKey>> {
        let keys = self.cards.iter().map(|(_, key, _)| {
            let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            ring::sign::any_supported_type(&der).expect("a key of ring's kinds")
        });
        keys.collect()
    }

    fn serve(&self, options: &[&str]) -> Server {
        let mut process = Command::new("openssl")
            .current_dir(self.folder.path() as &Path)
            .args(["s_server", "-accept", "127.0.0.1:0", "-rev"])
            .args(["-cert", "server.pem", "-key", "server.key"])
            .args(["-CAfile", "ca.pem", "-Verify", "1", "-verify_return_error"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let address = lines
            .by_ref()
            .map(|line| line.expect("text"))
            .find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned))
            .expect("openssl says where it listens");
        // It goes on telling; somebody must listen.
        std::thread::spawn(move || lines.for_each(drop));
        Server { process, address }
    }

    /// A session with data both ways; the tickets of TLS 1.3 are taken. Whether it was resumed.
    fn session(
        &self,
        server: &Server,
        version: ProtocolVersion,
        number: usize,
        key: &Arc<dyn SigningKey>,
    ) -> bool {
        let mut stream = TcpStream::connect(&server.address).expect("openssl listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a socket");
        let mut reader = RecordReader::new();
        let (session, mut tickets) = self.handshake(&mut stream, &mut reader, number, key);
        assert_eq!(session.keys.version, version);
        assert_eq!(
            session.extended_master_secret,
            version == ProtocolVersion::TLS1_2
        );
        let mut layer = RecordLayer::new(session.keys).expect("keys that fit together");
        let mut out = Vec::new();
        layer.seal(b"desserts\n", &mut out).expect("a fresh key");
        stream.write_all(&out).expect("sent");
        let mut data = Vec::new();
        while data != b"stressed\n" {
            let mut record = next_record(&mut stream, &mut reader);
            match layer.open(&mut record).expect("a record under these keys") {
                Opened::Data(part) => data.extend_from_slice(part),
                Opened::NewSessionTickets(messages) => {
                    let taker = tickets.as_mut().expect("TLS 1.3");
                    for message in messages {
                        taker.take(&message).expect("a ticket of openssl");
                    }
                }
                Opened::Nothing => {}
                other => panic!("{other:?}"),
            }
        }
        session.abbreviated
    }

    fn handshake(
        &self,
        stream: &mut TcpStream,
        reader: &mut RecordReader,
        number: usize,
        key: &Arc<dyn SigningKey>,
    ) -> (Box<CardSession>, Option<TicketTaker>) {
        let (mut engine, hello) = self.engines.begin(self.request(number)).expect("begun");
        stream.write_all(&hello).expect("sent");
        loop {
            let record = next_record(stream, reader);
            match engine.on_records(&record, Box::new(SoftKey(Arc::clone(key)))) {
                EngineStep::AwaitServer { engine: next, out } => {
                    stream.write_all(&out).expect("sent");
                    engine = next;
                }
                EngineStep::Established {
                    session,
                    out,
                    tickets,
                } => {
                    stream.write_all(&out).expect("sent");
                    return (session, tickets);
                }
                EngineStep::Failed { error, .. } => panic!("key {number}: {error}"),
            }
        }
    }

    fn request(&self, number: usize) -> EngineRequest {
        let (certificate, _, scheme) = &self.cards[number];
        let trust = Trust::load(&[self.ca.der().clone()], HashMap::new());
        EngineRequest {
            domain: DomainUuid::from_bytes([7; 16]),
            seid: "se-00".parse().expect("a SEID"),
            identity: format!("9{number}").parse().expect("a name"),
            certificates: vec![certificate.clone()],
            schemes: vec![*scheme],
            server_name: SERVER_NAME.to_owned(),
            alpn: Vec::new(),
            min_version: ProtocolVersion::TLS1_2,
            max_version: ProtocolVersion::TLS1_3,
            resume: true,
            trust: Arc::new(trust.expect("one CA")),
            max_bytes: 256 << 10,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A certificate for `name`, as DER and as PEM.
fn issue(ca: &CertifiedIssuer<'static, KeyPair>, name: &str, key: &KeyPair) -> (Vec<u8>, String) {
    let params = CertificateParams::new([name.to_owned()]).expect("a DNS name");
    let certificate = params.signed_by(key, ca).expect("fixed parameters");
    (certificate.der().to_vec(), certificate.pem())
}

/// A card in software.
struct SoftKey(Arc<dyn SigningKey>);

impl SignDoor for SoftKey {
    fn sign(&mut self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        let signer = self
            .0
            .choose_scheme(&[scheme])
            .expect("a scheme of the key");
        Ok(signer.sign(message).expect("a signature"))
    }
}

/// The next whole record of the server.
fn next_record(stream: &mut TcpStream, reader: &mut RecordReader) -> Vec<u8> {
    loop {
        if let Some(record) = reader.next_record().expect("TLS") {
            return record.into_bytes();
        }
        let mut bytes = [0; 4_096];
        let read = stream.read(&mut bytes).expect("openssl answers");
        assert!(read > 0, "openssl has closed the connection");
        reader.push(&bytes[..read]);
    }
}

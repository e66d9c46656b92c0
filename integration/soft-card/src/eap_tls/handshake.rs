//! One handshake of the card, from ClientHello to the exported parameters.

use std::sync::Arc;

use proto::card::NextHandshake;
use proto::tls::{ProtocolVersion, RecordReader};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, Error, SupportedProtocolVersion, version};
use rustls_pki_types::ServerName;

use super::clock::CardClock;
use super::credential::CardCredential;
use super::engine::{Engine, Step};
use super::exports::{Exports, Observed};
use super::key_log::TrafficSecretLog;
use super::server_hello::HelloWatch;
use super::session_store::OneSession;
use super::verifier::CardVerifier;

/// What all handshakes of a card have in common.
///
/// The same objects serve every identity, so that the TLS library sees one client: it would not
/// resume a session under another verifier or credential object, and the cards this one stands
/// for do (EAP-TLS card specification §7.6).
pub(super) struct Common {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) verifier: Arc<CardVerifier>,
    pub(super) credential: Arc<CardCredential>,
    pub(super) sessions: Arc<OneSession>,
    pub(super) clock: Arc<CardClock>,
}

/// The versions and names of one handshake, checked.
pub(super) struct Wishes {
    server_name: Option<ServerName<'static>>,
    alpn: Vec<Vec<u8>>,
    versions: Vec<&'static SupportedProtocolVersion>,
    forget_session: bool,
}

/// A handshake that waits for the server's next message.
pub(super) struct Handshake {
    engine: Engine,
    records: RecordReader,
    secrets: Arc<TrafficSecretLog>,
    hello: HelloWatch,
    signed: bool,
}

/// What a message led to. The bytes are the records to send, possibly none.
pub(super) enum Outcome {
    Continues(Handshake, Vec<u8>),
    Finished(Exports, Vec<u8>),
}

impl Wishes {
    /// Checks the parameters of the host; without a version range, 1.2 up to `highest`.
    ///
    /// An IP address is taken as a server name and not sent, as RFC 6066 §3 wants it.
    ///
    /// `None`: a value that this card cannot carry.
    pub(super) fn new(parameters: NextHandshake, highest: ProtocolVersion) -> Option<Self> {
        let (lowest, highest) = parameters
            .versions
            .unwrap_or((ProtocolVersion::TLS1_2.0, highest.0));
        let range = lowest..=highest;
        let versions: Vec<_> = [&version::TLS13, &version::TLS12]
            .into_iter()
            .filter(|supported| range.contains(&u16::from(supported.version)))
            .collect();
        let server_name = match parameters.server_name {
            Some(name) => Some(ServerName::try_from(name).ok()?),
            None => None,
        };
        let nameless = parameters.alpn.iter().any(Vec::is_empty);
        (!versions.is_empty() && !nameless).then_some(Self {
            server_name,
            alpn: parameters.alpn,
            versions,
            forget_session: parameters.forget_session,
        })
    }
}

impl Handshake {
    /// Begins a handshake and returns it with its ClientHello record.
    ///
    /// # Errors
    /// The TLS library cannot make a ClientHello of this.
    pub(super) fn start(common: &Common, wishes: Wishes) -> Result<(Self, Vec<u8>), Error> {
        if wishes.forget_session {
            common.sessions.forget();
        }
        let secrets = Arc::new(TrafficSecretLog::default());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&common.provider))
            .with_protocol_versions(&wishes.versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&common.verifier) as _)
            .with_client_cert_resolver(Arc::clone(&common.credential) as _);
        config.time_provider = Arc::clone(&common.clock) as _;
        config.resumption = Resumption::store(Arc::clone(&common.sessions) as _);
        config.key_log = Arc::clone(&secrets) as _;
        config.enable_secret_extraction = true;
        config.enable_sni = wishes.server_name.is_some();
        config.alpn_protocols = wishes.alpn;
        let server_name = wishes.server_name.unwrap_or_else(|| {
            ServerName::try_from(NAMELESS).expect("a constant that is a DNS name")
        });

        let mut hello = Vec::new();
        let engine = Engine::start(Arc::new(config), server_name, &mut hello)?;
        let handshake = Self {
            engine,
            records: RecordReader::default(),
            secrets,
            hello: HelloWatch::default(),
            signed: false,
        };
        Ok((handshake, hello))
    }

    /// Feeds one EAP-TLS message: any number of records, the last possibly not whole.
    ///
    /// # Errors
    /// The handshake failed, or the message holds bytes behind the end of the handshake: those
    /// belong to the host's record layer and no card takes them.
    pub(super) fn feed(mut self, common: &Common, message: &[u8]) -> Result<Outcome, Error> {
        let unreadable = |_| Error::General("not a TLS record".into());
        self.records.push(message);
        let mut out = Vec::new();
        while let Some(record) = self.records.next_record().map_err(unreadable)? {
            self.hello.observe(&record);
            let signatures = common.credential.private_key_operations();
            let step = self.engine.feed(record.bytes(), &mut out)?;
            self.signed |= common.credential.private_key_operations() != signatures;
            match step {
                Step::NeedRecord(engine) => self.engine = engine,
                Step::Done(_) if !self.records.buffered().is_empty() => {
                    return Err(Error::General("records past the handshake".into()));
                }
                Step::Done(connection) => {
                    let certificate = || common.credential.certificate();
                    let observed = Observed {
                        extended_master_secret: self.hello.extended_master_secret(),
                        client_certificate: self.signed.then(certificate).flatten(),
                        secrets: &self.secrets,
                    };
                    return Ok(Outcome::Finished(
                        Exports::dangerous_export(*connection, observed)?,
                        out,
                    ));
                }
            }
        }
        Ok(Outcome::Continues(self, out))
    }
}

/// The name that stands for a server whose name the card was not told; it is never sent.
const NAMELESS: &str = "server.invalid";

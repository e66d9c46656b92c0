//! A hand-driven client of a channel's TLS, for tests that do what no agent does.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::agent::{AgentMessage, Hello, PROTOCOL_VERSION};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use crate::wait::PATIENCE;

/// The way into a guest's channel, and what to show there.
#[derive(Clone)]
pub struct GuestDoor {
    /// The channel's socket.
    pub channel: PathBuf,
    /// The file of the key that the guest shows in TLS; `None` where the channel has no TLS.
    pub key_file: Option<PathBuf>,
    /// The token it shows.
    pub token: Vec<u8>,
}

/// A stream to dom0, with TLS or without.
pub struct ChannelStream(Inner);

enum Inner {
    Plain(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, UnixStream>>),
}

impl GuestDoor {
    /// A good `hello` with the token.
    #[must_use]
    pub fn hello(&self) -> AgentMessage {
        AgentMessage::Hello(Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: "rogue".to_owned(),
            token: self.token.clone(),
        })
    }

    /// The same door with another token.
    #[must_use]
    pub fn with_token(&self, token: Vec<u8>) -> Self {
        Self {
            token,
            ..self.clone()
        }
    }

    /// The same door with the key of another guest.
    #[must_use]
    pub fn with_key_of(&self, other: &Self) -> Self {
        Self {
            key_file: other.key_file.clone(),
            ..self.clone()
        }
    }

    /// Connects, without a word.
    ///
    /// # Panics
    /// When nobody listens, or the key cannot be read.
    #[must_use]
    pub fn connect(&self) -> ChannelStream {
        match &self.key_file {
            None => ChannelStream(Inner::Plain(self.connect_bare())),
            Some(key) => self.connect_with(Arc::new(config(key))),
        }
    }

    /// Connects, to make TLS as `config` says.
    ///
    /// # Panics
    /// As [`Self::connect`].
    #[must_use]
    pub fn connect_with(&self, config: Arc<ClientConfig>) -> ChannelStream {
        let name = ServerName::try_from(HV_NAME).expect("a name");
        let client = ClientConnection::new(config, name).expect("a sound configuration");
        let tls = StreamOwned::new(client, self.connect_bare());
        ChannelStream(Inner::Tls(Box::new(tls)))
    }

    /// Connects, and leaves the rest to the caller.
    ///
    /// # Panics
    /// When nobody listens.
    #[must_use]
    pub fn connect_bare(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.channel).expect("dom0 listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        stream
    }
}

impl ChannelStream {
    /// Brings the TLS handshake to its end, if there is one to make.
    ///
    /// # Errors
    /// Dom0's no, or its silence.
    pub fn handshake(&mut self) -> io::Result<()> {
        let Inner::Tls(tls) = &mut self.0 else {
            return Ok(());
        };
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(())
    }

    /// The TLS connection, where there is one.
    pub fn tls(&mut self) -> Option<&mut ClientConnection> {
        match &mut self.0 {
            Inner::Plain(_) => None,
            Inner::Tls(tls) => Some(&mut tls.conn),
        }
    }

    /// Says in order that nothing more comes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn shutdown(&mut self, how: Shutdown) -> io::Result<()> {
        match &mut self.0 {
            Inner::Plain(stream) => stream.shutdown(how),
            Inner::Tls(tls) => {
                tls.conn.send_close_notify();
                tls.flush()?;
                tls.sock.shutdown(how)
            }
        }
    }
}

impl Read for ChannelStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(stream) => stream.read(bytes),
            Inner::Tls(tls) => tls.read(bytes),
        }
    }
}

impl Write for ChannelStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(stream) => stream.write(bytes),
            Inner::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Plain(stream) => stream.flush(),
            Inner::Tls(tls) => tls.flush(),
        }
    }
}

impl fmt::Debug for ChannelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelStream").finish_non_exhaustive()
    }
}

/// What an agent with the key in this file would offer; whom it meets is not looked at.
///
/// # Panics
/// When the key cannot be read.
#[must_use]
pub fn config(key_file: &Path) -> ClientConfig {
    let key = PrivateKeyDer::from_pem_file(key_file).expect("a channel key");
    let key = ring::default_provider().key_provider.load_private_key(key);
    let key = key.expect("a key that can sign");
    let public = key.public_key().expect("it has one").to_vec();
    config_showing(raw_key(public, key))
}

/// Shows this SubjectPublicKeyInfo as a raw public key, and signs with that key.
#[must_use]
pub fn raw_key(public: Vec<u8>, key: Arc<dyn SigningKey>) -> Arc<dyn ResolvesClientCert> {
    let own = CertifiedKey::new(vec![CertificateDer::from(public)], key);
    Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(own)))
}

/// As [`config`], with another proof of who the guest is.
///
/// # Panics
/// Never: TLS 1.3 is there.
#[must_use]
pub fn config_showing(shown: Arc<dyn ResolvesClientCert>) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3 is there")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_client_cert_resolver(shown);
    config.alpn_protocols = vec![b"tessera/1".to_vec()];
    config.resumption = Resumption::disabled();
    config
}

/// Believes every server.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The name in every channel certificate.
pub const HV_NAME: &str = "hv.tessera.invalid";

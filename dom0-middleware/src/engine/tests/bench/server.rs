//! A TLS server in this process.

use std::io::{Cursor, Write as _};
use std::sync::{Arc, Mutex};

use proto::tls::ProtocolVersion;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{KeyLog, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::Pki;

/// A server's configuration, for many connections.
#[derive(Clone)]
pub(in crate::engine::tests) struct Server {
    pub(in crate::engine::tests) config: ServerConfig,
    pub(in crate::engine::tests) secrets: Arc<Secrets>,
}

/// What a server knows of its secrets.
#[derive(Debug, Default)]
pub(in crate::engine::tests) struct Secrets(Mutex<Vec<(String, Vec<u8>)>>);

impl Secrets {
    /// The one last logged under `label`.
    pub(in crate::engine::tests) fn last(&self, label: &str) -> Vec<u8> {
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
    pub(in crate::engine::tests) fn new(version: ProtocolVersion) -> Self {
        Self::of(Pki::get(), version, aws_lc_rs::default_provider(), true)
    }

    /// A server that asks for none.
    pub(in crate::engine::tests) fn open_to_all(version: ProtocolVersion) -> Self {
        Self::of(Pki::get(), version, aws_lc_rs::default_provider(), false)
    }

    /// A server that demands a client's certificate and shows a long one itself.
    pub(in crate::engine::tests) fn with_a_long_certificate(version: ProtocolVersion) -> Self {
        let (certificate, key) = Pki::get().long_server();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = aws_lc_rs::sign::any_supported_type(&key).expect("P-256");
        let shown = CertifiedKey::new(vec![certificate.clone()], key);
        Self::new(version)
            .with(|config| config.cert_resolver = Arc::new(SingleCertAndKey::from(shown)))
    }

    pub(in crate::engine::tests) fn of(
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
            roots.add(pki.ca_der().clone()).expect("a CA");
            let clients =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            builder.with_client_cert_verifier(clients.build().expect("one root"))
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = pki.server();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = builder
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::from(key))
            .expect("a certificate with its key");
        let secrets = Arc::new(Secrets::default());
        config.key_log = Arc::clone(&secrets) as Arc<_>;
        Self { config, secrets }
    }

    pub(in crate::engine::tests) fn with(mut self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    pub(in crate::engine::tests) fn connect(&self) -> Link {
        let connection = ServerConnection::new(Arc::new(self.config.clone()));
        Link(connection.expect("a usable configuration"))
    }
}

/// One connection of a server.
pub(in crate::engine::tests) struct Link(pub(in crate::engine::tests) ServerConnection);

impl Link {
    pub(in crate::engine::tests) fn receive(&mut self, bytes: &[u8]) -> Result<(), rustls::Error> {
        let mut rest = Cursor::new(bytes);
        while self.0.read_tls(&mut rest).expect("memory") > 0 {
            self.0.process_new_packets()?;
        }
        Ok(())
    }

    pub(in crate::engine::tests) fn flush(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut out).expect("memory");
        }
        out
    }

    pub(in crate::engine::tests) fn say(&mut self, data: &[u8]) {
        self.0.writer().write_all(data).expect("a buffer");
    }
}

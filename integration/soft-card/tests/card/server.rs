//! A TLS server in this process that demands a client certificate, and knows its own secrets.

use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use rustls::crypto::ring;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{KeyLog, ServerConfig, ServerConnection, SupportedProtocolVersion};

use crate::host::Host;
use crate::pki::{Ca, Certified};

/// One server's configuration, for many connections.
pub(crate) struct Server {
    config: ServerConfig,
    secrets: Arc<Secrets>,
}

/// A finished handshake, as the server sees it.
pub(crate) struct Established {
    pub(crate) connection: ServerConnection,
    /// The records of the server's flights, in order.
    pub(crate) flights: Vec<Vec<u8>>,
    /// The client's bytes, in order.
    pub(crate) client: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
pub(crate) struct Secrets(Mutex<Vec<(String, Vec<u8>)>>);

impl KeyLog for Secrets {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        self.0
            .lock()
            .expect("no panic")
            .push((label.to_owned(), secret.to_vec()));
    }
}

impl Server {
    pub(crate) fn new(
        ca: &Ca,
        credential: &Certified,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let provider = Arc::new(ring::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(ca.roots()), provider.clone())
                .build()
                .expect("one root");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version of the provider")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![credential.certificate.clone()], credential.key())
            .expect("a certificate with its key");
        config.session_storage = ServerSessionMemoryCache::new(8);
        let secrets = Arc::new(Secrets::default());
        config.key_log = secrets.clone();
        Self { config, secrets }
    }

    /// Changes the configuration.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// The secret last logged under `label`.
    pub(crate) fn secret(&self, label: &str) -> Vec<u8> {
        let secrets = self.secrets.0.lock().expect("no panic");
        let found = secrets.iter().rev().find(|(name, _)| name == label);
        found.expect("logged").1.clone()
    }

    pub(crate) fn connect(&self) -> ServerConnection {
        ServerConnection::new(Arc::new(self.config.clone())).expect("a usable configuration")
    }

    /// Runs a handshake with the card, each flight as one EAP-TLS message.
    pub(crate) fn handshake(&self, host: &mut Host) -> Result<Established, u16> {
        self.handshake_with(host, Host::message)
    }

    /// The same, with `bring` taking each flight to the card.
    pub(crate) fn handshake_with(
        &self,
        host: &mut Host,
        mut bring: impl FnMut(&mut Host, &[u8]) -> Result<Vec<u8>, u16>,
    ) -> Result<Established, u16> {
        let mut connection = self.connect();
        let mut client = vec![host.start()?];
        let mut flights = Vec::new();
        loop {
            let from_client = client.last().expect("begins with ClientHello");
            receive(&mut connection, from_client);
            let flight = flush(&mut connection);
            if flight.is_empty() {
                assert!(!connection.is_handshaking(), "the server waits for more");
                return Ok(Established {
                    connection,
                    flights,
                    client,
                });
            }
            if host.state() == 3 {
                // TLS 1.3: what comes now is for the record layer of the host.
                flights.push(flight);
                return Ok(Established {
                    connection,
                    flights,
                    client,
                });
            }
            client.push(bring(host, &flight)?);
            flights.push(flight);
        }
    }
}

impl Established {
    /// Has the server send `data`; returns the records.
    pub(crate) fn send(&mut self, data: &[u8]) -> Vec<u8> {
        self.connection.writer().write_all(data).expect("buffered");
        flush(&mut self.connection)
    }

    /// Gives the server `records`; returns the data inside.
    pub(crate) fn receive(&mut self, records: &[u8]) -> Vec<u8> {
        receive(&mut self.connection, records);
        let mut data = vec![0; 65_536];
        let length = self
            .connection
            .reader()
            .read(&mut data)
            .expect("data of the client");
        data.truncate(length);
        data
    }
}

pub(crate) fn receive(connection: &mut ServerConnection, records: &[u8]) {
    let mut records = Cursor::new(records);
    while connection.read_tls(&mut records).expect("memory") > 0 {
        connection
            .process_new_packets()
            .expect("records that the server accepts");
    }
}

pub(crate) fn flush(connection: &mut ServerConnection) -> Vec<u8> {
    let mut records = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut records).expect("memory");
    }
    records
}

/// Cuts a flight into its records.
pub(crate) fn records(flight: &[u8]) -> Vec<&[u8]> {
    let mut rest = flight;
    let mut records = Vec::new();
    while let [_, _, _, length1, length2, ..] = rest {
        let length = 5 + usize::from(u16::from_be_bytes([*length1, *length2]));
        let (record, more) = rest.split_at(length);
        records.push(record);
        rest = more;
    }
    records
}

//! Two record layers with the same keys, one in the role of the server.

use zeroize::Zeroizing;

use crate::tls::record_layer::limits::KeyLimit;
use crate::tls::record_layer::protection::WriteHalf;
use crate::tls::record_layer::setup::Side;
use crate::tls::{
    CipherSuite, ContentType, Established, KeyBlock, Opened, ProtocolVersion, Record, RecordError,
    RecordLayer, SessionKeys, TrafficSecrets,
};

/// Suites of TLS 1.2 with a record layer here: AES-128-GCM, AES-256-GCM, ChaCha20.
pub(super) const TLS12: [u16; 3] = [0xC02F, 0xC02C, 0xCCA8];
/// Suites of TLS 1.3 with a record layer here, in the same order.
pub(super) const TLS13: [u16; 3] = [0x1301, 0x1302, 0x1303];
/// All of them.
pub(super) const ALL: [u16; 6] = [0xC02F, 0xC02C, 0xCCA8, 0x1301, 0x1302, 0x1303];

/// Where the explicit nonce of both sides starts.
pub(super) const FIRST_NONCE: [u8; 8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE];

pub(super) fn established(suite: u16) -> Established {
    let cipher_suite = CipherSuite(suite);
    let (version, keys, sequence) = match cipher_suite.hash_len() {
        Some(len) => {
            let secret = |first| Zeroizing::new((first..).take(len).collect());
            let secrets = TrafficSecrets {
                client: secret(1),
                server: secret(101),
            };
            (
                ProtocolVersion::TLS1_3,
                SessionKeys::TrafficSecrets(secrets),
                0,
            )
        }
        None => {
            let shape = cipher_suite
                .key_block_shape(ProtocolVersion::TLS1_2)
                .unwrap();
            let block = KeyBlock::new((1..).take(shape.total()).collect());
            (ProtocolVersion::TLS1_2, SessionKeys::KeyBlock(block), 1)
        }
    };
    Established {
        version,
        cipher_suite,
        keys,
        client_sequence: sequence,
        server_sequence: sequence,
        client_explicit_nonce: Some(FIRST_NONCE),
    }
}

pub(super) struct Pair {
    pub(super) client: RecordLayer,
    pub(super) server: RecordLayer,
}

impl Pair {
    pub(super) fn new(suite: u16) -> Self {
        let layer = |side| RecordLayer::on_side(established(suite), side, KeyLimit::of).unwrap();
        Self {
            client: layer(Side::Client),
            server: layer(Side::Server),
        }
    }

    /// A pair whose keys last for `records_per_key` records.
    pub(super) fn with_limit(suite: u16, records_per_key: u64) -> Self {
        let layer = |side| {
            let limit = |_| KeyLimit { records_per_key };
            RecordLayer::on_side(established(suite), side, limit).unwrap()
        };
        Self {
            client: layer(Side::Client),
            server: layer(Side::Server),
        }
    }

    /// One record of the server with any content, opened by the client. Data is copied out.
    pub(super) fn server_sends(&mut self, kind: u8, content: &[u8]) -> Result<Event, RecordError> {
        let record = self.server_seals(kind, content);
        self.client_opens(&record)
    }

    pub(super) fn server_seals(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        self.server
            .write
            .seal(ContentType::from(kind), content, &mut record)
            .unwrap();
        record
    }

    /// TLS 1.3: the server's next record is under its next key.
    pub(super) fn server_changes_key(&mut self) {
        let WriteHalf::Tls13(half) = &mut self.server.write else {
            panic!("a change of keys is for TLS 1.3");
        };
        half.update();
    }

    pub(super) fn client_opens(&mut self, record: &[u8]) -> Result<Event, RecordError> {
        open(&mut self.client, record)
    }

    pub(super) fn server_opens(&mut self, record: &[u8]) -> Result<Event, RecordError> {
        open(&mut self.server, record)
    }

    /// What the server reads in the records of the client; all of it must be data.
    pub(super) fn server_reads(&mut self, records: &[u8]) -> Vec<u8> {
        let mut read = Vec::new();
        for record in split(records) {
            match self.server_opens(&record).unwrap() {
                Event::Data(data) => read.extend(data),
                other => panic!("{other:?}"),
            }
        }
        read
    }

    pub(super) fn client_seals(&mut self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.client.seal(data, &mut out).unwrap();
        out
    }

    /// What the client owes the server.
    pub(super) fn client_flushes(&mut self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        self.client.flush_control(&mut out).unwrap();
        split(&out)
    }
}

/// [`Opened`] without the borrow.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Data(Vec<u8>),
    Tickets(Vec<Vec<u8>>),
    CloseNotify,
    /// A fatal alert.
    Alert(u8),
    /// A warning.
    Warning(u8),
    Nothing,
}

pub(super) fn open(layer: &mut RecordLayer, record: &[u8]) -> Result<Event, RecordError> {
    Ok(match layer.open(&mut record.to_vec())? {
        Opened::Data(data) => Event::Data(data.to_vec()),
        Opened::NewSessionTickets(tickets) => {
            Event::Tickets(tickets.into_iter().map(|ticket| ticket.to_vec()).collect())
        }
        Opened::CloseNotify => Event::CloseNotify,
        Opened::Alert(alert) => Event::Alert(alert.description.0),
        Opened::Warning(alert) => Event::Warning(alert.description.0),
        Opened::Nothing => Event::Nothing,
    })
}

pub(super) fn split(records: &[u8]) -> Vec<Vec<u8>> {
    Record::decode_all(records)
        .unwrap()
        .into_iter()
        .map(Record::into_bytes)
        .collect()
}

//! Keys that both ends of a connection have, for tests.

use proto::tls::{
    Alert, CipherSuite, ContentType, Established, KeyBlock, Opened, ProtocolVersion, RecordLayer,
    RecordReader, SessionKeys, TrafficSecrets,
};
use zeroize::Zeroizing;

/// The explicit nonce of the client's Finished in these connections.
pub(crate) const FINISHED_NONCE: [u8; 8] = [7; 8];
/// The one after it.
pub(crate) const NEXT_NONCE: [u8; 8] = [7, 7, 7, 7, 7, 7, 7, 8];

/// What a connection is protected with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    Tls12Gcm,
    Tls12ChaCha,
    Tls13,
}

impl Protection {
    pub(crate) const ALL: [Self; 3] = [Self::Tls12Gcm, Self::Tls12ChaCha, Self::Tls13];

    /// What dom0 hands over.
    pub(crate) fn client(self) -> Established {
        self.established(1, 2)
    }

    /// The record layer of the agent.
    pub(crate) fn client_layer(self) -> RecordLayer {
        RecordLayer::new(self.client()).expect("good keys")
    }

    /// The same, with keys that are used up after so many records.
    pub(crate) fn short_lived_layer(self, records_per_key: u64) -> RecordLayer {
        let layer = RecordLayer::with_records_per_key(self.client(), records_per_key);
        layer.expect("good keys")
    }

    /// The server: a client whose two directions are exchanged.
    pub(crate) fn server(self) -> Server {
        let layer = RecordLayer::new(self.established(2, 1)).expect("good keys");
        Server {
            layer,
            records: RecordReader::new(),
        }
    }

    pub(crate) const fn version(self) -> ProtocolVersion {
        match self {
            Self::Tls12Gcm | Self::Tls12ChaCha => ProtocolVersion::TLS1_2,
            Self::Tls13 => ProtocolVersion::TLS1_3,
        }
    }

    pub(crate) const fn suite(self) -> u16 {
        match self {
            Self::Tls12Gcm => 0xc02f,
            Self::Tls12ChaCha => 0xcca8,
            Self::Tls13 => 0x1301,
        }
    }

    /// Keys whose writing direction is made of `write` and whose other one of `read`.
    fn established(self, write: u8, read: u8) -> Established {
        let block = |key: usize, iv: usize| {
            let parts = [(write, key), (read, key), (write, iv), (read, iv)];
            let bytes = parts
                .iter()
                .flat_map(|(byte, n)| std::iter::repeat_n(*byte, *n));
            SessionKeys::KeyBlock(KeyBlock::new(bytes.collect()))
        };
        let keys = match self {
            Self::Tls12Gcm => block(16, 4),
            Self::Tls12ChaCha => block(32, 12),
            Self::Tls13 => SessionKeys::TrafficSecrets(TrafficSecrets {
                client: Zeroizing::new(vec![write; 32]),
                server: Zeroizing::new(vec![read; 32]),
            }),
        };
        let sequence = u64::from(self != Self::Tls13);
        Established {
            version: self.version(),
            cipher_suite: CipherSuite(self.suite()),
            keys,
            client_sequence: sequence,
            server_sequence: sequence,
            client_explicit_nonce: (self == Self::Tls12Gcm).then_some(NEXT_NONCE),
        }
    }
}

/// The other end of a TLS connection that stands.
pub(crate) struct Server {
    layer: RecordLayer,
    records: RecordReader,
}

/// What a server has read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) data: Vec<u8>,
    pub(crate) closed: bool,
    pub(crate) alert: Option<Alert>,
    /// How often the sender has changed its key.
    pub(crate) key_updates: u32,
}

impl Server {
    pub(crate) fn seal(&mut self, data: &[u8]) -> Vec<u8> {
        let mut records = Vec::new();
        self.layer.seal(data, &mut records).expect("open");
        records
    }

    pub(crate) fn close_notify(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        self.layer.seal_close_notify(&mut records).expect("open");
        records
    }

    pub(crate) fn alert(&mut self, alert: Alert) -> Vec<u8> {
        let mut records = Vec::new();
        let sealed = self.layer.seal_alert(alert.description, &mut records);
        sealed.expect("open");
        records
    }

    /// Opens what is whole of all bytes so far and adds it to `received`.
    pub(crate) fn open(&mut self, bytes: &[u8], received: &mut Received) {
        self.records.push(bytes);
        while let Some(record) = self.records.next_record_mut().expect("records") {
            match self.layer.open(record).expect("good records") {
                Opened::Data(data) => received.data.extend_from_slice(data),
                Opened::CloseNotify => received.closed = true,
                Opened::Alert(alert) => received.alert = Some(alert),
                Opened::Nothing => received.key_updates += 1,
                other => panic!("the agent sent {other:?}"),
            }
        }
    }
}

/// One record in clear.
pub(crate) fn record(content_type: ContentType, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("short");
    let mut record = vec![u8::from(content_type), 3, 3];
    record.extend(length.to_be_bytes());
    record.extend_from_slice(payload);
    record
}

/// A handshake record with a ServerHello that chooses version and suite.
pub(crate) fn server_hello(protection: Protection) -> Vec<u8> {
    record(
        ContentType::Handshake,
        &server_hello_message(protection, [9; 32]),
    )
}

/// The message of [`server_hello`], with that random value.
pub(crate) fn server_hello_message(protection: Protection, random: [u8; 32]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(random);
    body.push(0);
    body.extend(protection.suite().to_be_bytes());
    body.push(0);
    if protection == Protection::Tls13 {
        body.extend([0, 6, 0, 43, 0, 2, 3, 4]);
    }
    let length = u8::try_from(body.len()).expect("short");
    let mut message = vec![2, 0, 0, length];
    message.append(&mut body);
    message
}

/// ChangeCipherSpec and a record that stands for an encrypted Finished of TLS 1.2.
pub(crate) fn last_flight(nonce: [u8; 8]) -> Vec<u8> {
    let mut flight = record(ContentType::ChangeCipherSpec, &[1]);
    let mut finished = nonce.to_vec();
    finished.extend([0xee; 32]);
    flight.extend(record(ContentType::Handshake, &finished));
    flight
}

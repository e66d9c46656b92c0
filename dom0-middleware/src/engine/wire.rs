//! What of a handshake can be seen in clear, and how much there is of it.

use proto::tls::{
    ContentType, HandshakeReader, HandshakeType, ProtocolVersion, Record, RecordReader, ServerHello,
};

use super::error::internal;
use crate::card::SessionError;

/// Counts the bytes of both sides and keeps what rustls does not tell.
pub(super) struct Wire {
    max_bytes: usize,
    taken: usize,
    sent: usize,
    /// Reads the server's first messages, until ServerHello is among them.
    reader: Option<HandshakeReader>,
    hello: Option<ServerHello>,
    last_sent: Vec<u8>,
    /// Whether the client has sent ChangeCipherSpec.
    changed_cipher: bool,
}

impl Wire {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            taken: 0,
            sent: 0,
            reader: Some(HandshakeReader::new(MAX_HELLO)),
            hello: None,
            last_sent: Vec::new(),
            changed_cipher: false,
        }
    }

    /// The server has sent `record`.
    ///
    /// # Errors
    /// [`SessionError::TooManyBytes`].
    pub(super) fn on_server_record(&mut self, record: &Record) -> Result<(), SessionError> {
        self.taken = self.counted(self.taken, record.bytes().len())?;
        if record.content_type() == ContentType::Handshake {
            self.read(record.payload());
        }
        Ok(())
    }

    /// The client sends `records`.
    ///
    /// # Errors
    /// [`SessionError::TooManyBytes`].
    pub(super) fn on_client_records(&mut self, records: &[u8]) -> Result<(), SessionError> {
        self.sent = self.counted(self.sent, records.len())?;
        let mut reader = RecordReader::new();
        reader.push(records);
        while let Some(record) = reader
            .next_record()
            .map_err(|error| internal(error.to_string()))?
        {
            self.changed_cipher |= record.content_type() == ContentType::ChangeCipherSpec;
            self.last_sent = record.into_bytes();
        }
        Ok(())
    }

    /// The bytes of the server's records.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// What the server chose, once it has; not a HelloRetryRequest.
    pub(super) fn server_hello(&self) -> Option<&ServerHello> {
        self.hello.as_ref()
    }

    /// The last record of the client; up to TLS 1.2 its Finished, when the handshake is over.
    pub(super) fn last_sent(&self) -> &[u8] {
        &self.last_sent
    }

    /// Whether the server would still understand an alert in clear.
    pub(super) fn takes_clear_alerts(&self) -> bool {
        let version = self.hello.as_ref().map(|hello| hello.version);
        !self.changed_cipher && version != Some(ProtocolVersion::TLS1_3)
    }

    /// Whether a record of the client that has this type may be an alert: in TLS 1.3 it is hidden.
    pub(super) fn may_be_alert(&self, content_type: ContentType) -> bool {
        let version = self.hello.as_ref().map(|hello| hello.version);
        content_type == ContentType::Alert
            || version == Some(ProtocolVersion::TLS1_3)
                && content_type == ContentType::ApplicationData
    }

    fn counted(&self, before: usize, more: usize) -> Result<usize, SessionError> {
        let max = self.max_bytes;
        let sum = before.checked_add(more).filter(|sum| *sum <= max);
        sum.ok_or(SessionError::TooManyBytes { max })
    }

    /// Looks for ServerHello. What cannot be read is rustls's to refuse.
    fn read(&mut self, mut payload: &[u8]) {
        let Some(mut reader) = self.reader.take() else {
            return;
        };
        while let Ok(message) = reader.read(&mut payload) {
            let Some(message) = message else {
                self.reader = Some(reader);
                return;
            };
            if message.kind() != HandshakeType::ServerHello {
                return;
            }
            match ServerHello::decode(message.body()) {
                Ok(hello) if hello.is_retry => {}
                hello => {
                    self.hello = hello.ok();
                    return;
                }
            }
        }
    }
}

/// Bytes of a ServerHello, which holds hardly more than a kilobyte with a hybrid key share.
const MAX_HELLO: usize = 16 << 10;

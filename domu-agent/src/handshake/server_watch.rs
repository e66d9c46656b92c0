//! Whether the server has said all that belongs to the handshake.
//!
//! Up to TLS 1.2 its last word is the one record after its ChangeCipherSpec. Holding back what
//! follows keeps application data out of dom0 and the flow of it under TCP's control. In TLS 1.3
//! the end cannot be seen from outside.

use proto::tls::{
    ContentType, HandshakeReader, HandshakeType, ProtocolVersion, Record, ServerHello,
};

/// Longest ServerHello that is read here, in bytes; dom0 reads it more strictly.
const MAX_SERVER_HELLO: usize = 16_384;

/// Follows the server's records.
pub(super) struct ServerWatch {
    hello: Hello,
    end: End,
    alert: bool,
}

enum Hello {
    Expected(HandshakeReader),
    Seen(ProtocolVersion),
    Unreadable,
}

#[derive(PartialEq, Eq)]
enum End {
    ExpectChangeCipherSpec,
    ExpectFinished,
    Reached,
}

impl ServerWatch {
    pub(super) fn new() -> Self {
        Self {
            hello: Hello::Expected(HandshakeReader::new(MAX_SERVER_HELLO)),
            end: End::ExpectChangeCipherSpec,
            alert: false,
        }
    }

    pub(super) fn on_record(&mut self, record: &Record) {
        match record.content_type() {
            ContentType::Alert => self.alert = true,
            ContentType::Handshake => self.read_hello(record.payload()),
            _ => {}
        }
        match (&self.end, record.content_type()) {
            (End::ExpectFinished, _) => self.end = End::Reached,
            (End::ExpectChangeCipherSpec, ContentType::ChangeCipherSpec)
                if self
                    .version()
                    .is_some_and(|version| version < ProtocolVersion::TLS1_3) =>
            {
                self.end = End::ExpectFinished;
            }
            _ => {}
        }
    }

    /// The version that the server has chosen, once it has.
    pub(super) const fn version(&self) -> Option<ProtocolVersion> {
        match self.hello {
            Hello::Seen(version) => Some(version),
            Hello::Expected(_) | Hello::Unreadable => None,
        }
    }

    /// Whether nothing more of the server belongs to the handshake.
    pub(super) fn is_at_end(&self) -> bool {
        self.end == End::Reached
    }

    /// Whether the server has sent an alert in clear, or one of an encrypted length as such.
    pub(super) const fn has_seen_alert(&self) -> bool {
        self.alert
    }

    fn read_hello(&mut self, mut payload: &[u8]) {
        while let Hello::Expected(reader) = &mut self.hello {
            let message = match reader.read(&mut payload) {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(_) => return self.hello = Hello::Unreadable,
            };
            let is_hello = message.kind() == HandshakeType::ServerHello;
            match ServerHello::decode(message.body()) {
                Ok(hello) if is_hello && hello.is_retry => {}
                Ok(hello) if is_hello => self.hello = Hello::Seen(hello.version),
                _ => self.hello = Hello::Unreadable,
            }
        }
    }
}

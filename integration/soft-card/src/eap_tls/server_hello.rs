//! What the card notices in the ServerHello on its way to the engine.

use proto::tls::{ContentType, HandshakeReader, HandshakeType, Record, ServerHello};

/// Watches the first records of the server for its ServerHello.
///
/// The engine does not tell whether the extended master secret was agreed on, and the host may
/// ask for it.
pub(super) struct HelloWatch {
    /// Until the first message is whole; it may be spread over several records.
    first_message: Option<HandshakeReader>,
    extended_master_secret: bool,
}

impl HelloWatch {
    /// Looks at one record. What is wrong with it is for the engine to find.
    pub(super) fn observe(&mut self, record: &Record) {
        if record.content_type() != ContentType::Handshake {
            return;
        }
        let Some(reader) = &mut self.first_message else {
            return;
        };
        let message = match reader.read(&mut record.payload()) {
            Ok(None) => return,
            Ok(Some(message)) => Some(message),
            Err(_) => None,
        };
        self.first_message = None;
        self.extended_master_secret = message
            .filter(|message| message.kind() == HandshakeType::ServerHello)
            .and_then(|message| ServerHello::decode(message.body()).ok())
            .is_some_and(|hello| hello.extended_master_secret);
    }

    /// Whether the server confirmed the extended master secret.
    pub(super) fn extended_master_secret(&self) -> bool {
        self.extended_master_secret
    }
}

impl Default for HelloWatch {
    fn default() -> Self {
        Self {
            first_message: Some(HandshakeReader::new(MAX_HELLO)),
            extended_master_secret: false,
        }
    }
}

/// The longest ServerHello worth a look, bytes.
const MAX_HELLO: usize = 16 * 1024;

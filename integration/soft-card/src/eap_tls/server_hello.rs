//! What the card notices in the ServerHello on its way to the engine.

use proto::tls::{ContentType, Record, ServerHello};

/// Watches the first records of the server for its ServerHello.
///
/// The engine does not tell whether the extended master secret was agreed on, and the host may
/// ask for it.
#[derive(Default)]
pub(super) struct HelloWatch {
    message: Vec<u8>,
    seen: Option<ServerHello>,
}

impl HelloWatch {
    /// Looks at one record. A ServerHello may be spread over several.
    pub(super) fn observe(&mut self, record: &Record) {
        if self.seen.is_some() || record.content_type() != ContentType::Handshake {
            return;
        }
        self.message.extend_from_slice(record.payload());
        let Some([_, length @ ..]) = self.message.first_chunk::<HEADER_LEN>() else {
            return;
        };
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let Some(message) = self.message.get(..HEADER_LEN + length) else {
            return;
        };
        self.seen = ServerHello::from_message(message).ok();
    }

    /// Whether the server confirmed the extended master secret.
    pub(super) fn extended_master_secret(&self) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|hello| hello.extended_master_secret)
    }
}

/// Type and length of a handshake message.
const HEADER_LEN: usize = 4;

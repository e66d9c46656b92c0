//! What goes where during one handshake.

use proto::agent::{EstablishedMessage, Queued, Refused};
use proto::tls::{
    Established, ProtocolVersion, RECORD_HEADER_LEN, RecordReader, next_explicit_nonce,
};

use super::client_watch::ClientWatch;
use super::error::HandshakeError;
use super::server_watch::ServerWatch;
use crate::dom0::SessionMessage;

/// Most bytes of one handshake in each direction, whatever dom0 allows.
pub(crate) const MAX_HANDSHAKE: usize = 262_144;

/// One handshake. Feed what the server and dom0 send, act on what is returned.
pub(crate) struct HandshakeRelay {
    max_bytes: usize,
    records: RecordReader,
    server: ServerWatch,
    server_closed: bool,
    /// Whole records that dom0 was given. Kept until dom0 says how many belong to the handshake.
    forwarded: Vec<u8>,
    /// Whether later records stay here, beginning with the one in `held`.
    holding: bool,
    held: Vec<u8>,
    client: ClientWatch,
    client_bytes: usize,
    /// Whether the client has answered anything of the server.
    answered: bool,
}

/// What a message of dom0 asks for.
pub(crate) enum Step {
    /// Send these bytes to the server.
    SendToServer(Vec<u8>),
    /// Nothing but patience.
    Wait(Queued),
    /// The record layer takes over.
    Established(Box<Handover>),
    /// It is over; send `alert` to the server if there is one.
    Refused(Refused),
}

/// All that the record layer needs.
pub(crate) struct Handover {
    /// The message, keys included.
    pub(crate) message: EstablishedMessage,
    /// What the server has sent after the handshake, not decrypted.
    pub(crate) surplus: Vec<u8>,
}

impl HandshakeRelay {
    /// A relay that passes at most `max_bytes` each way.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let max_bytes = usize::try_from(max_bytes).unwrap_or(MAX_HANDSHAKE);
        Self {
            max_bytes: max_bytes.min(MAX_HANDSHAKE),
            records: RecordReader::new(),
            server: ServerWatch::new(),
            server_closed: false,
            forwarded: Vec::new(),
            holding: false,
            held: Vec::new(),
            client: ClientWatch::default(),
            client_bytes: 0,
            answered: false,
        }
    }

    /// Whether the server should be read. Not reading it is what keeps data that comes early in
    /// the hands of TCP.
    pub(crate) const fn wants_server_bytes(&self) -> bool {
        !self.holding && !self.server_closed
    }

    /// How many bytes of the server can be read without reading beyond the handshake. Before the
    /// client has answered, all that comes belongs to it; after that, the record that has begun.
    /// What is not read stays in the hands of TCP.
    pub(crate) fn wanted_server_bytes(&self) -> usize {
        match self.answered {
            false => usize::MAX,
            true => self.records.missing(),
        }
    }

    /// Takes over what the server has sent and returns the whole records of it for dom0.
    ///
    /// # Errors
    /// [`HandshakeError`] if it is not TLS or too much.
    pub(crate) fn on_server_bytes(&mut self, bytes: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        self.records.push(bytes);
        let mut records = Vec::new();
        while !self.holding {
            let record = self.records.next_record().map_err(HandshakeError::Server)?;
            let Some(record) = record else {
                break;
            };
            self.server.on_record(&record);
            self.holding = self.server.is_at_end();
            let record = record.into_bytes();
            if self.forwarded.len() + record.len() <= self.max_bytes {
                self.forwarded.extend_from_slice(&record);
                records.extend(record);
            } else if self.server.version() == Some(ProtocolVersion::TLS1_3) {
                // It may be data after a handshake that dom0 is about to report.
                self.held = record;
                self.holding = true;
            } else {
                return Err(self.too_long("server"));
            }
        }
        Ok(records)
    }

    /// The server will send nothing more.
    ///
    /// # Errors
    /// [`HandshakeError::ServerClosed`] if dom0 cannot finish the handshake without it, and has
    /// no better reason to give.
    pub(crate) fn on_server_closed(&mut self) -> Result<(), HandshakeError> {
        self.server_closed = true;
        let is_tls13 = self.server.version() == Some(ProtocolVersion::TLS1_3);
        let dom0_has_all = self.server.is_at_end() || (is_tls13 && self.client.has_finished());
        if dom0_has_all || self.server.has_seen_alert() {
            return Ok(());
        }
        Err(HandshakeError::ServerClosed)
    }

    /// Takes over what dom0 says about this session.
    ///
    /// # Errors
    /// [`HandshakeError`] if it does not fit what was relayed.
    pub(crate) fn on_dom0(&mut self, message: SessionMessage) -> Result<Step, HandshakeError> {
        match message {
            SessionMessage::Queued(queued) => Ok(Step::Wait(queued)),
            SessionMessage::Refused(refused) => Ok(Step::Refused(refused)),
            SessionMessage::ClientRecords(bytes) => {
                self.answered = !self.forwarded.is_empty();
                self.client_bytes = self.client_bytes.saturating_add(bytes.len());
                if self.client_bytes > self.max_bytes {
                    return Err(self.too_long("card"));
                }
                self.client
                    .on_bytes(&bytes)
                    .map_err(HandshakeError::Dom0Records)?;
                Ok(Step::SendToServer(bytes))
            }
            SessionMessage::Established(message) => {
                self.check_nonce(&message.keys)?;
                let surplus = self.take_surplus(message.consumed)?;
                let message = *message;
                Ok(Step::Established(Box::new(Handover { message, surplus })))
            }
        }
    }

    /// The card's Finished was sealed with the nonce before the next one: the record is on the
    /// wire, so this is checked and not believed.
    fn check_nonce(&self, keys: &Established) -> Result<(), HandshakeError> {
        let aead = keys.cipher_suite.aead();
        let is_explicit = keys.version == ProtocolVersion::TLS1_2
            && aead.is_some_and(|aead| aead.has_tls12_explicit_nonce());
        let finished = self.client.explicit_nonce_of_finished();
        if is_explicit && keys.client_explicit_nonce != finished.map(next_explicit_nonce) {
            return Err(HandshakeError::Nonce);
        }
        Ok(())
    }

    /// Everything of the server behind the first `consumed` bytes that dom0 was given.
    fn take_surplus(&mut self, consumed: u64) -> Result<Vec<u8>, HandshakeError> {
        let at = usize::try_from(consumed).ok();
        let at = at.filter(|at| is_border(&self.forwarded, *at));
        let at = at.ok_or(HandshakeError::Consumed { consumed })?;
        let mut surplus = self.forwarded.split_off(at);
        surplus.append(&mut self.held);
        surplus.extend(std::mem::take(&mut self.records).into_rest());
        Ok(surplus)
    }

    const fn too_long(&self, from: &'static str) -> HandshakeError {
        HandshakeError::TooLong {
            from,
            max: self.max_bytes,
        }
    }
}

/// Whether a record of `records` begins, or the last one ends, at byte `at`.
fn is_border(records: &[u8], at: usize) -> bool {
    let mut border = 0;
    while border < at {
        let header = records.get(border..border + RECORD_HEADER_LEN);
        let Some(&[_, _, _, high, low]) = header else {
            return false;
        };
        border += RECORD_HEADER_LEN + usize::from(u16::from_be_bytes([high, low]));
    }
    border == at && at <= records.len()
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;

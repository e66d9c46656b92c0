//! The records of a channel after its handshake, without their socket.

use proto::tls::{Opened, RecordLayer, RecordReader};
use zeroize::Zeroize;

use super::error::TlsError;

/// Plaintext sealed at once, in bytes: one record.
const MAX_SEALED: usize = 16_384;

/// Seals what goes to dom0 and opens what comes from there.
pub(in crate::dom0) struct Records {
    layer: RecordLayer,
    reader: RecordReader,
    outgoing: Vec<u8>,
    sent: usize,
}

impl Records {
    /// `outgoing` is the end of the handshake, as far as it is not sent.
    pub(super) fn new(layer: RecordLayer, outgoing: Vec<u8>) -> Self {
        Self {
            layer,
            reader: RecordReader::new(),
            outgoing,
            sent: 0,
        }
    }

    /// Records that wait to be sent.
    pub(in crate::dom0) fn to_send(&self) -> &[u8] {
        self.outgoing.get(self.sent..).unwrap_or_default()
    }

    /// The first `n` bytes of [`Self::to_send`] are out.
    pub(in crate::dom0) fn on_sent(&mut self, n: usize) {
        self.sent = self.sent.saturating_add(n);
        if self.sent >= self.outgoing.len() {
            self.outgoing.clear();
            self.sent = 0;
        }
    }

    /// Seals the beginning of `plaintext`, and says how much of it.
    ///
    /// # Errors
    /// [`TlsError`] when nothing can be sealed any more.
    pub(in crate::dom0) fn seal(&mut self, plaintext: &[u8]) -> Result<usize, TlsError> {
        let part = plaintext.get(..MAX_SEALED).unwrap_or(plaintext);
        self.layer.seal(part, &mut self.outgoing)?;
        Ok(part.len())
    }

    /// Says that nothing more comes from this end.
    ///
    /// # Errors
    /// [`TlsError`] when nothing can be sealed any more.
    pub(in crate::dom0) fn close(&mut self) -> Result<(), TlsError> {
        Ok(self.layer.seal_close_notify(&mut self.outgoing)?)
    }

    /// dom0 has sent `bytes`: what is in them goes to `take`, and is wiped then.
    ///
    /// # Errors
    /// [`TlsError`] for a record that breaks the rules or an alert, and what `take` says. The end of
    /// the records is no error: it is `Ok(true)`.
    pub(in crate::dom0) fn on_bytes<E: From<TlsError>>(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        self.reader.push(bytes);
        let is_over = loop {
            let record = self.reader.next_record_mut();
            let Some(record) = record
                .map_err(proto::tls::RecordError::from)
                .map_err(TlsError::from)?
            else {
                break false;
            };
            let taken = match self.layer.open(&mut *record).map_err(TlsError::from)? {
                Opened::Data(data) => take(data),
                Opened::CloseNotify => break true,
                Opened::Alert(alert) => return Err(TlsError::from(alert).into()),
                // Nothing is resumed.
                Opened::NewSessionTickets(_) | Opened::Warning(_) | Opened::Nothing => Ok(()),
            };
            record.zeroize();
            taken?;
        };
        if self.layer.has_pending_control() {
            let flushed = self.layer.flush_control(&mut self.outgoing);
            flushed.map_err(TlsError::from)?;
        }
        Ok(is_over)
    }
}

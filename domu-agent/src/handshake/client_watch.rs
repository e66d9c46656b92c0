//! What the card says to the server, as far as the record layer must know it.

use proto::tls::{ContentType, RecordReader, TlsError, explicit_nonce};

/// Follows the records that dom0 has sent to the server.
#[derive(Default)]
pub(super) struct ClientWatch {
    records: RecordReader,
    finished: Finished,
}

#[derive(Default)]
enum Finished {
    #[default]
    ExpectChangeCipherSpec,
    Expected,
    Seen {
        explicit_nonce: Option<[u8; 8]>,
    },
}

impl ClientWatch {
    pub(super) fn on_bytes(&mut self, bytes: &[u8]) -> Result<(), TlsError> {
        self.records.push(bytes);
        while let Some(record) = self.records.next_record()? {
            self.finished = match self.finished {
                Finished::ExpectChangeCipherSpec
                    if record.content_type() == ContentType::ChangeCipherSpec =>
                {
                    Finished::Expected
                }
                Finished::Expected => Finished::Seen {
                    explicit_nonce: explicit_nonce(record.bytes()),
                },
                _ => continue,
            };
        }
        Ok(())
    }

    /// The first eight bytes of the Finished record of TLS 1.2, where GCM has its explicit nonce.
    pub(super) const fn explicit_nonce_of_finished(&self) -> Option<[u8; 8]> {
        match self.finished {
            Finished::Seen { explicit_nonce } => explicit_nonce,
            Finished::ExpectChangeCipherSpec | Finished::Expected => None,
        }
    }

    /// Whether the client has changed to the new keys.
    pub(super) const fn has_finished(&self) -> bool {
        matches!(self.finished, Finished::Seen { .. })
    }
}

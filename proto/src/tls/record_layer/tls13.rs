//! Records of TLS 1.3.
//!
//! ```text
//! 17 0303 length2 | encrypted: content, type1, zeros | tag (16)
//! ```
//!
//! Additional data: the five bytes of the header (RFC 8446 §5.2).

use super::direction::Direction;
use super::error::RecordError;
use super::limits::{KeyLimit, MAX_PLAINTEXT, MAX_TLS13_PAYLOAD, TAG_LEN};
use crate::tls::cipher_suite::Aead;
use crate::tls::content_type::ContentType;
use crate::tls::traffic_secret::TrafficSecret;

/// One direction with the secret that its keys come from.
pub(super) struct Half {
    direction: Direction,
    secret: TrafficSecret,
    aead: Aead,
}

impl Half {
    /// A direction whose next record is the first under `secret`.
    pub(super) fn new(aead: Aead, secret: TrafficSecret, limit: KeyLimit) -> Self {
        let direction = Direction::new(aead, &secret.key(aead.key_len()), secret.iv(), 0, limit);
        Self {
            direction,
            secret,
            aead,
        }
    }

    pub(super) fn direction(&self) -> &Direction {
        &self.direction
    }

    /// Changes to the next key; the old secret is wiped (RFC 8446 §7.2).
    pub(super) fn update(&mut self) {
        *self = Self::new(self.aead, self.secret.next(), self.direction.limit());
    }

    /// Appends one record to `out`; `content` is at most [`MAX_PLAINTEXT`] bytes.
    pub(super) fn seal(
        &mut self,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let start = out.len();
        let header = header(content.len() + 1 + TAG_LEN);
        out.extend_from_slice(&header);
        let body_start = out.len();
        out.extend_from_slice(content);
        out.push(content_type.into());
        let body = out
            .get_mut(body_start..)
            .expect("the content was just appended");
        match self
            .direction
            .seal(self.direction.sequence_nonce(), &header, body)
        {
            Ok(tag) => {
                out.extend_from_slice(tag.as_ref());
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }

    /// Opens what follows the header of one record.
    pub(super) fn open<'r>(
        &mut self,
        outer_type: ContentType,
        payload: &'r mut [u8],
    ) -> Result<(ContentType, &'r [u8]), RecordError> {
        if outer_type != ContentType::ApplicationData {
            return Err(RecordError::UnexpectedRecord { got: outer_type });
        }
        if payload.len() > MAX_TLS13_PAYLOAD {
            return Err(RecordError::Overflow {
                max: MAX_TLS13_PAYLOAD,
                got: payload.len(),
            });
        }
        let header = header(payload.len());
        let inner = self
            .direction
            .open(self.direction.sequence_nonce(), &header, payload)?;
        // The bound includes type and padding (RFC 8446 §5.4).
        if inner.len() > MAX_PLAINTEXT + 1 {
            return Err(RecordError::Overflow {
                max: MAX_PLAINTEXT + 1,
                got: inner.len(),
            });
        }
        let type_at = inner
            .iter()
            .rposition(|byte| *byte != 0)
            .ok_or(RecordError::NoContentType)?;
        let (content, rest) = inner.split_at(type_at);
        let content_type = *rest.first().expect("rposition found it there");
        Ok((content_type.into(), content))
    }
}

fn header(payload_len: usize) -> [u8; 5] {
    let len = u16::try_from(payload_len).expect("payloads are bounded by MAX_TLS13_PAYLOAD");
    let [high, low] = len.to_be_bytes();
    [ContentType::ApplicationData.into(), 3, 3, high, low]
}

//! Records of TLS 1.2 with AEAD suites.
//!
//! ```text
//! type1 0303 length2 | explicit nonce (GCM: 8, ChaCha20: 0) | ciphertext | tag (16)
//! ```
//!
//! Additional data: `sequence8 type1 0303 length2` with the length of the content
//! (RFC 5246 §6.2.3.3).

use super::direction::Direction;
use super::error::RecordError;
use super::limits::{MAX_PLAINTEXT, TAG_LEN};
use crate::tls::content_type::ContentType;

const EXPLICIT_NONCE_LEN: usize = 8;

/// What we send.
pub(super) struct Sealer {
    direction: Direction,
    /// GCM: the explicit nonce of the next record.
    explicit: Option<[u8; EXPLICIT_NONCE_LEN]>,
}

impl Sealer {
    /// `explicit` is there for GCM suites and was never on the wire before.
    pub(super) fn new(direction: Direction, explicit: Option<[u8; EXPLICIT_NONCE_LEN]>) -> Self {
        Self {
            direction,
            explicit,
        }
    }

    pub(super) fn direction(&self) -> &Direction {
        &self.direction
    }

    /// Appends one record to `out`; `content` is at most [`MAX_PLAINTEXT`] bytes.
    pub(super) fn seal(
        &mut self,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let start = out.len();
        let explicit = self
            .explicit
            .as_ref()
            .map_or(&[][..], |nonce| nonce.as_slice());
        let payload_len = length(explicit.len() + content.len() + TAG_LEN);
        out.extend_from_slice(&header(content_type, payload_len));
        out.extend_from_slice(explicit);
        let nonce = match self.explicit {
            Some(explicit) => self.direction.explicit_nonce(explicit),
            None => self.direction.sequence_nonce(),
        };
        let aad = additional_data(&self.direction, content_type, content.len());
        let body_start = out.len();
        out.extend_from_slice(content);
        let body = out
            .get_mut(body_start..)
            .expect("the content was just appended");
        match self.direction.seal(nonce, &aad, body) {
            Ok(tag) => {
                out.extend_from_slice(tag.as_ref());
                self.explicit = self.explicit.map(crate::tls::flight::next_explicit_nonce);
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }
}

/// What the peer sends.
pub(super) struct Opener {
    direction: Direction,
    has_explicit_nonce: bool,
}

impl Opener {
    pub(super) fn new(direction: Direction, has_explicit_nonce: bool) -> Self {
        Self {
            direction,
            has_explicit_nonce,
        }
    }

    /// Opens what follows the header of one record.
    pub(super) fn open<'r>(
        &mut self,
        content_type: ContentType,
        payload: &'r mut [u8],
    ) -> Result<(ContentType, &'r [u8]), RecordError> {
        let (nonce, body) = if self.has_explicit_nonce {
            let (explicit, body) = payload
                .split_first_chunk_mut()
                .ok_or(RecordError::Decrypt)?;
            (self.direction.explicit_nonce(*explicit), body)
        } else {
            (self.direction.sequence_nonce(), payload)
        };
        let content_len = body
            .len()
            .checked_sub(TAG_LEN)
            .ok_or(RecordError::Decrypt)?;
        if content_len > MAX_PLAINTEXT {
            return Err(RecordError::Overflow {
                max: MAX_PLAINTEXT,
                got: content_len,
            });
        }
        let aad = additional_data(&self.direction, content_type, content_len);
        let content = self.direction.open(nonce, &aad, body)?;
        Ok((content_type, content))
    }
}

fn header(content_type: ContentType, payload_len: u16) -> [u8; 5] {
    let [high, low] = payload_len.to_be_bytes();
    [content_type.into(), 3, 3, high, low]
}

fn additional_data(direction: &Direction, content_type: ContentType, len: usize) -> [u8; 13] {
    let mut data = [0; 13];
    let (sequence, rest) = data.split_at_mut(8);
    sequence.copy_from_slice(&direction.sequence().to_be_bytes());
    rest.copy_from_slice(&header(content_type, length(len)));
    data
}

fn length(len: usize) -> u16 {
    u16::try_from(len).expect("content is bounded by MAX_PLAINTEXT")
}

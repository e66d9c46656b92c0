//! One direction: a key, an IV and the number of the next record.

use ring::aead::{self, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::error::RecordError;
use super::limits::KeyLimit;
use crate::tls::cipher_suite::Aead;

/// Bytes of a nonce of every AEAD used here.
pub(super) const NONCE_LEN: usize = 12;

/// The state that protects records of one direction. Numbers are used once: each success moves
/// on to the next, and none is used beyond the key's limit.
pub(super) struct Direction {
    key: LessSafeKey,
    iv: Zeroizing<[u8; NONCE_LEN]>,
    sequence: u64,
    limit: KeyLimit,
}

impl Direction {
    /// `key` is as long as `aead` wants it.
    pub(super) fn new(
        aead: Aead,
        key: &[u8],
        iv: Zeroizing<[u8; NONCE_LEN]>,
        sequence: u64,
        limit: KeyLimit,
    ) -> Self {
        let algorithm = match aead {
            Aead::Aes128Gcm => &aead::AES_128_GCM,
            Aead::Aes256Gcm => &aead::AES_256_GCM,
            Aead::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, key).expect("the key was cut to the suite's length");
        Self {
            key: LessSafeKey::new(key),
            iv,
            sequence,
            limit,
        }
    }

    /// The number of the next record.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many records the key is good for.
    pub(super) fn limit(&self) -> KeyLimit {
        self.limit
    }

    /// The nonce that TLS 1.3 and ChaCha20 use: IV xor sequence number.
    pub(super) fn sequence_nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = *self.iv;
        for (byte, mask) in nonce
            .iter_mut()
            .rev()
            .zip(self.sequence.to_be_bytes().iter().rev())
        {
            *byte ^= mask;
        }
        nonce
    }

    /// The nonce of a TLS 1.2 GCM record: the fixed part of the IV, then the explicit one.
    pub(super) fn explicit_nonce(&self, explicit: [u8; 8]) -> [u8; NONCE_LEN] {
        let mut nonce = *self.iv;
        for (byte, explicit) in nonce.iter_mut().rev().zip(explicit.iter().rev()) {
            *byte = *explicit;
        }
        nonce
    }

    /// Encrypts `body` where it lies and gives the tag.
    pub(super) fn seal(
        &mut self,
        nonce: [u8; NONCE_LEN],
        additional_data: &[u8],
        body: &mut [u8],
    ) -> Result<aead::Tag, RecordError> {
        let next = self.next_sequence()?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, aead::Aad::from(additional_data), body)
            .expect("one record is far below what an AEAD can encrypt");
        self.sequence = next;
        Ok(tag)
    }

    /// Decrypts `body`, tag included, where it lies.
    pub(super) fn open<'r>(
        &mut self,
        nonce: [u8; NONCE_LEN],
        additional_data: &[u8],
        body: &'r mut [u8],
    ) -> Result<&'r mut [u8], RecordError> {
        let next = self.next_sequence()?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = self
            .key
            .open_in_place(nonce, aead::Aad::from(additional_data), body)
            .map_err(|_| RecordError::Decrypt)?;
        self.sequence = next;
        Ok(plain)
    }

    fn next_sequence(&self) -> Result<u64, RecordError> {
        if self.limit.is_reached(self.sequence) {
            return Err(RecordError::LimitReached);
        }
        self.sequence
            .checked_add(1)
            .ok_or(RecordError::LimitReached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::samples::hex;

    fn direction(sequence: u64) -> Direction {
        let iv = Zeroizing::new(hex("A0A1A2A3A4A5A6A7A8A9AAAB").try_into().unwrap());
        let limit = KeyLimit {
            records_per_key: 10,
        };
        Direction::new(Aead::Aes128Gcm, &[0; 16], iv, sequence, limit)
    }

    #[test]
    fn the_sequence_number_is_mixed_into_the_last_eight_bytes() {
        assert_eq!(
            direction(0).sequence_nonce()[..],
            hex("A0A1A2A3A4A5A6A7A8A9AAAB")
        );
        assert_eq!(
            direction(0x0102_0304_0506_0708).sequence_nonce()[..],
            hex("A0A1A2A3 A5A7A5A3ADAFADA3")
        );
    }

    #[test]
    fn the_explicit_nonce_replaces_the_last_eight_bytes() {
        assert_eq!(
            direction(5).explicit_nonce([7; 8])[..],
            hex("A0A1A2A3 0707070707070707")
        );
    }

    #[test]
    fn no_record_is_protected_beyond_the_limit() {
        let mut direction = direction(9);
        assert!(direction.seal([0; 12], &[], &mut [1, 2, 3]).is_ok());
        assert_eq!(direction.sequence(), 10);
        assert_eq!(
            direction.seal([0; 12], &[], &mut [1, 2, 3]).err(),
            Some(RecordError::LimitReached)
        );
        assert_eq!(
            direction.open([0; 12], &[], &mut [0; 20]),
            Err(RecordError::LimitReached)
        );
        assert_eq!(direction.sequence(), 10);
    }

    #[test]
    fn a_forged_record_does_not_move_the_counter() {
        let mut direction = direction(3);
        assert_eq!(
            direction.open([0; 12], &[], &mut [0; 20]),
            Err(RecordError::Decrypt)
        );
        assert_eq!(direction.sequence(), 3);
    }
}

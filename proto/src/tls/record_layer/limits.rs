//! Bounds of the record layer.

use crate::tls::cipher_suite::Aead;

/// Most bytes of content in one record (RFC 5246 §6.2.1, RFC 8446 §5.1).
pub const MAX_PLAINTEXT: usize = 1 << 14;

/// Most bytes after the header of a protected TLS 1.3 record (RFC 8446 §5.2).
pub(super) const MAX_TLS13_PAYLOAD: usize = MAX_PLAINTEXT + 256;

/// Bytes of the tag of every AEAD used here.
pub(super) const TAG_LEN: usize = 16;

/// Most bytes of one post-handshake message; a NewSessionTicket of a TLS 1.3 server with a large
/// ticket comes close.
pub(super) const MAX_POST_HANDSHAKE: usize = 64 << 10;

/// Sequence numbers at which a key is used up.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyLimit {
    /// Records that may be protected by one key.
    pub(super) records_per_key: u64,
}

impl KeyLimit {
    /// Records kept back for what must still be said when no more data may be: alerts, KeyUpdate.
    const RESERVE: u64 = 16;

    /// 2^24 records for AES-GCM; ChaCha20 is bounded by its sequence number only
    /// (RFC 8446 §5.5).
    pub(super) fn of(aead: Aead) -> Self {
        match aead {
            Aead::Aes128Gcm | Aead::Aes256Gcm => Self {
                records_per_key: 1 << 24,
            },
            Aead::ChaCha20Poly1305 => Self {
                records_per_key: u64::MAX,
            },
        }
    }

    /// Records that data may still use at sequence number `at`.
    pub(super) fn left_for_data(self, at: u64) -> u64 {
        self.records_per_key
            .saturating_sub(Self::RESERVE)
            .saturating_sub(at)
    }

    /// Whether no record at all may use sequence number `at`.
    pub(super) fn is_reached(self, at: u64) -> bool {
        at >= self.records_per_key
    }

    /// Whether the peer should be asked for a new key: a sixteenth of the limit is left.
    pub(super) fn is_near(self, at: u64) -> bool {
        at >= self.records_per_key - self.records_per_key / 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gcm_key_protects_two_to_the_24_records() {
        let limit = KeyLimit::of(Aead::Aes128Gcm);
        assert_eq!(limit.left_for_data(1), (1 << 24) - 17);
        assert_eq!(limit.left_for_data((1 << 24) - 16), 0);
        assert!(!limit.is_reached((1 << 24) - 1) && limit.is_reached(1 << 24));
        assert!(!limit.is_near((15 << 20) - 1) && limit.is_near(15 << 20));
    }

    #[test]
    fn a_chacha20_key_lasts_as_long_as_its_counter() {
        let limit = KeyLimit::of(Aead::ChaCha20Poly1305);
        assert!(!limit.is_near(1 << 32) && !limit.is_reached(u64::MAX - 1));
        assert!(limit.is_reached(u64::MAX));
    }
}

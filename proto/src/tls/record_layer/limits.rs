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

/// Fewest records that a key can be limited to: what is kept back, and as much again for data and for
/// asking the peer in time.
pub const MIN_RECORDS_PER_KEY: u64 = 64;

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

    /// The same, or less.
    pub(super) fn at_most(self, records_per_key: u64) -> Self {
        let records_per_key = records_per_key.max(MIN_RECORDS_PER_KEY);
        Self {
            records_per_key: self.records_per_key.min(records_per_key),
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
    fn a_wish_makes_a_key_last_shorter_and_never_longer() {
        let gcm = KeyLimit::of(Aead::Aes256Gcm);
        let records = |wish| gcm.at_most(wish).records_per_key;
        assert_eq!((records(0), records(1_000)), (MIN_RECORDS_PER_KEY, 1_000));
        assert_eq!(records(u64::MAX), 1 << 24);
        let shortest = gcm.at_most(0);
        assert!(shortest.left_for_data(1) > 0 && !shortest.is_near(1));
    }

    #[test]
    fn a_chacha20_key_lasts_as_long_as_its_counter() {
        let limit = KeyLimit::of(Aead::ChaCha20Poly1305);
        assert!(!limit.is_near(1 << 32) && !limit.is_reached(u64::MAX - 1));
        assert!(limit.is_reached(u64::MAX));
    }
}

//! The explicit nonce of TLS 1.2 GCM, read off the wire.
//!
//! A GCM record carries 8 bytes of its nonce in clear (RFC 5288 §3). A nonce that comes twice
//! under one key gives the authentication key away, and how a card or library makes the first one
//! is its own affair; so the record layer goes on from the one in the client's Finished.

use crate::tls::record::RECORD_HEADER_LEN;

const NONCE_LEN: usize = 8;
const TAG_LEN: usize = 16;

/// The explicit nonce of a whole GCM record: bytes 5 to 12.
///
/// Nothing if the record is too short to be one. The caller knows that the suite is a GCM suite.
#[must_use]
pub fn explicit_nonce(finished_record: &[u8]) -> Option<[u8; 8]> {
    let payload = finished_record.get(RECORD_HEADER_LEN..)?;
    if payload.len() < NONCE_LEN + TAG_LEN {
        return None;
    }
    payload.first_chunk().copied()
}

/// The explicit nonce of the next record: one more, with wrap-around.
#[must_use]
pub fn next_explicit_nonce(nonce: [u8; 8]) -> [u8; 8] {
    u64::from_be_bytes(nonce).wrapping_add(1).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::samples::{hex, record};

    #[test]
    fn is_what_stands_after_the_header() {
        let mut payload = hex("0102030405060708");
        payload.extend([0xEE; 16 + 16]);
        let finished = record(22, 0x0303, &payload);
        assert_eq!(explicit_nonce(&finished), Some([1, 2, 3, 4, 5, 6, 7, 8]));
    }

    #[test]
    fn a_record_without_room_for_a_tag_has_none() {
        for len in 0..5 + 8 + 16 {
            assert_eq!(explicit_nonce(&vec![0; len]), None, "{len}");
        }
        assert_eq!(explicit_nonce(&[0; 5 + 8 + 16]), Some([0; 8]));
    }

    #[test]
    fn the_next_one_counts_up_and_wraps() {
        assert_eq!(next_explicit_nonce([0; 8]), [0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(
            next_explicit_nonce([0, 0, 0, 0, 0, 0, 0, 0xFF]),
            [0, 0, 0, 0, 0, 0, 1, 0]
        );
        assert_eq!(next_explicit_nonce([0xFF; 8]), [0; 8]);
    }
}

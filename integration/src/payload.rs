//! Test data that the server's own words cannot be mistaken for.
//!
//! `openssl s_server` prints what a client sends between reports in plain ASCII, and takes some
//! letters on its stdin as commands. All bytes made here have their highest bit set.

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// The same `length` bytes each time, without pattern.
#[must_use]
pub fn payload(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(length as u64).fill_bytes(&mut bytes);
    for byte in &mut bytes {
        *byte |= HIGH;
    }
    bytes
}

/// Whether a byte is one of [`payload`].
#[must_use]
pub fn is_payload(byte: u8) -> bool {
    byte & HIGH != 0
}

const HIGH: u8 = 0x80;

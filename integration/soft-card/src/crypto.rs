//! The cryptography of the card's TLS engine.

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};

/// That of aws-lc-rs, whose RSA is twice as fast as ring's, so that the card is not what a measurement
/// is of. The key exchanges are those that a card has: no hybrid ones, whose messages are long.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        ..aws_lc_rs::default_provider()
    }
}

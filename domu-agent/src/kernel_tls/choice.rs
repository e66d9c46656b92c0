//! Whether a connection may be left to the kernel.

use proto::tls::{Established, ProtocolVersion};

use super::crypto_info::CryptoInfos;
use super::support::KernelSupport;

/// Why the agent seals and opens the records of a connection itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Obstacle {
    /// Whoever holds the socket can read its keys back, so mode `keys` must be allowed.
    #[error("the caller may not have keys")]
    NotAllowed,
    /// The application wants it so.
    #[error("the application asked for the relay")]
    NotWanted,
    /// A KeyUpdate or a ticket would be an error to the application that reads.
    #[error("{0} goes through the agent")]
    Version(ProtocolVersion),
    /// The kernel does not know the cipher.
    #[error("the kernel cannot do {0}")]
    Kernel(proto::tls::CipherSuite),
    /// Bytes of the server that were read already cannot be given back to TCP.
    #[error("the server has sent more than its handshake")]
    Surplus,
    /// The keys are not those of a TLS 1.2 connection right after its handshake.
    #[error("the keys do not fit")]
    Keys,
}

/// Gives the keys for the kernel if it may have them. `surplus` is what was read of the server
/// behind its handshake.
///
/// # Errors
/// The first [`Obstacle`].
pub(crate) fn choose(
    permitted: Result<(), Obstacle>,
    support: &KernelSupport,
    keys: &Established,
    surplus: &[u8],
) -> Result<CryptoInfos, Obstacle> {
    permitted?;
    if keys.version != ProtocolVersion::TLS1_2 {
        return Err(Obstacle::Version(keys.version));
    }
    let aead = keys.cipher_suite.aead();
    if !aead.is_some_and(|aead| support.has(aead)) {
        return Err(Obstacle::Kernel(keys.cipher_suite));
    }
    if !surplus.is_empty() {
        return Err(Obstacle::Surplus);
    }
    CryptoInfos::new(keys).ok_or(Obstacle::Keys)
}

#[cfg(test)]
mod tests {
    use proto::tls::{Aead, CipherSuite};

    use super::*;
    use crate::testing::Protection;

    fn obstacle(
        permitted: Result<(), Obstacle>,
        ciphers: &[Aead],
        keys: &Established,
        surplus: &[u8],
    ) -> Option<Obstacle> {
        let support = KernelSupport::Ciphers(ciphers.to_vec());
        choose(permitted, &support, keys, surplus).err()
    }

    #[test]
    fn tls_1_2_goes_to_a_kernel_that_has_the_cipher() {
        let gcm = Protection::Tls12Gcm.client();
        assert_eq!(obstacle(Ok(()), &[Aead::Aes128Gcm], &gcm, b""), None);
        let other = obstacle(Ok(()), &[Aead::Aes256Gcm], &gcm, b"");
        assert_eq!(other, Some(Obstacle::Kernel(gcm.cipher_suite)));
        let chacha = Protection::Tls12ChaCha.client();
        let ciphers = [Aead::ChaCha20Poly1305];
        assert_eq!(obstacle(Ok(()), &ciphers, &chacha, b""), None);
        let missing = KernelSupport::Missing("no module".to_owned());
        assert!(choose(Ok(()), &missing, &chacha, b"").is_err());
    }

    #[test]
    fn tls_1_3_does_not_whatever_the_kernel_can() {
        let keys = Protection::Tls13.client();
        let obstacle = obstacle(Ok(()), &[Aead::Aes128Gcm], &keys, b"");
        assert_eq!(obstacle, Some(Obstacle::Version(ProtocolVersion::TLS1_3)));
    }

    #[test]
    fn what_was_read_too_far_stays_with_the_agent() {
        let keys = Protection::Tls12Gcm.client();
        let obstacle = obstacle(Ok(()), &[Aead::Aes128Gcm], &keys, b"\x17");
        assert_eq!(obstacle, Some(Obstacle::Surplus));
    }

    #[test]
    fn a_right_comes_before_all_else_and_bad_keys_are_no_keys() {
        let keys = Protection::Tls13.client();
        for why in [Obstacle::NotAllowed, Obstacle::NotWanted] {
            assert_eq!(obstacle(Err(why), &[], &keys, b"x"), Some(why));
        }
        let keys = Established {
            client_explicit_nonce: None,
            ..Protection::Tls12Gcm.client()
        };
        let none = obstacle(Ok(()), &[Aead::Aes128Gcm], &keys, b"");
        assert_eq!(none, Some(Obstacle::Keys));
        let cbc = Established {
            cipher_suite: CipherSuite(0x002f),
            ..Protection::Tls12Gcm.client()
        };
        let none = obstacle(Ok(()), &[Aead::Aes128Gcm], &cbc, b"");
        assert_eq!(none, Some(Obstacle::Kernel(CipherSuite(0x002f))));
    }
}

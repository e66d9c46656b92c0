//! Keys in the form in which the kernel takes them.
//!
//! ```text
//! GCM        version2 cipher2 | iv: explicit nonce (8) | key (16 or 32) | salt: fixed IV (4) | sequence number (8)
//! ChaCha20   version2 cipher2 | iv: the IV (12)        | key (32)       |                    | sequence number (8)
//! ```
//!
//! With GCM the kernel sends the `iv` it is given as the explicit nonce of the first record and
//! counts up by one from there. It has to be the one **after** the nonce of the client's Finished:
//! two records with one nonce give the authentication key away. What the peer sends carries its
//! own explicit nonces, so that `iv` does not matter there.

use nix::libc;
use nix::sys::socket::sockopt::TlsCryptoInfo;
use proto::tls::{Aead, Established, ProtocolVersion, SessionKeys};
use zeroize::Zeroize;

/// The keys of one direction for the kernel. Wiped when dropped; `TlsCryptoInfo` is `Copy` and has
/// a `Debug` that shows everything, so it must not get out of here.
pub(crate) struct CryptoInfo(TlsCryptoInfo);

/// The keys of both directions.
pub(crate) struct CryptoInfos {
    /// What the client sends.
    pub(super) send: CryptoInfo,
    /// What the server sends.
    pub(super) receive: CryptoInfo,
}

impl CryptoInfos {
    /// Cuts the keys of a TLS 1.2 connection; nothing if they are not those of one, or not all
    /// there.
    pub(super) fn new(keys: &Established) -> Option<Self> {
        let SessionKeys::KeyBlock(block) = &keys.keys else {
            return None;
        };
        if keys.version != ProtocolVersion::TLS1_2 {
            return None;
        }
        // Each side has sealed one record, its Finished.
        if (keys.client_sequence, keys.server_sequence) != (1, 1) {
            return None;
        }
        let aead = keys.cipher_suite.aead()?;
        let shape = keys.cipher_suite.key_block_shape(keys.version)?;
        let parts = block.split(&shape).ok()?;
        let explicit = match aead.has_tls12_explicit_nonce() {
            true => keys.client_explicit_nonce?,
            false => [0; 8],
        };
        let (client_key, client_iv) = (parts.client_write_key, parts.client_write_iv);
        let (server_key, server_iv) = (parts.server_write_key, parts.server_write_iv);
        Some(Self {
            send: CryptoInfo::new(aead, client_key, client_iv, explicit, keys.client_sequence)?,
            receive: CryptoInfo::new(aead, server_key, server_iv, [0; 8], keys.server_sequence)?,
        })
    }
}

impl CryptoInfo {
    /// One direction of a TLS 1.2 connection, whose next record has this sequence number and, with
    /// GCM, this explicit nonce. Nothing if key or IV are not as long as the cipher wants them.
    pub(super) fn new(
        aead: Aead,
        key: &[u8],
        fixed_iv: &[u8],
        explicit_nonce: [u8; 8],
        sequence: u64,
    ) -> Option<Self> {
        let info = |cipher_type| libc::tls_crypto_info {
            version: libc::TLS_1_2_VERSION,
            cipher_type,
        };
        let rec_seq = sequence.to_be_bytes();
        Some(Self(match aead {
            Aead::Aes128Gcm => TlsCryptoInfo::Aes128Gcm(libc::tls12_crypto_info_aes_gcm_128 {
                info: info(libc::TLS_CIPHER_AES_GCM_128),
                iv: explicit_nonce,
                key: key.try_into().ok()?,
                salt: fixed_iv.try_into().ok()?,
                rec_seq,
            }),
            Aead::Aes256Gcm => TlsCryptoInfo::Aes256Gcm(libc::tls12_crypto_info_aes_gcm_256 {
                info: info(libc::TLS_CIPHER_AES_GCM_256),
                iv: explicit_nonce,
                key: key.try_into().ok()?,
                salt: fixed_iv.try_into().ok()?,
                rec_seq,
            }),
            Aead::ChaCha20Poly1305 => {
                TlsCryptoInfo::Chacha20Poly1305(libc::tls12_crypto_info_chacha20_poly1305 {
                    info: info(libc::TLS_CIPHER_CHACHA20_POLY1305),
                    iv: fixed_iv.try_into().ok()?,
                    key: key.try_into().ok()?,
                    salt: [],
                    rec_seq,
                })
            }
        }))
    }

    /// For the kernel, and nobody else.
    pub(super) const fn get(&self) -> &TlsCryptoInfo {
        &self.0
    }
}

impl Drop for CryptoInfo {
    fn drop(&mut self) {
        match &mut self.0 {
            TlsCryptoInfo::Aes128Gcm(info) => {
                info.key.zeroize();
                info.salt.zeroize();
                info.iv.zeroize();
            }
            TlsCryptoInfo::Aes256Gcm(info) => {
                info.key.zeroize();
                info.salt.zeroize();
                info.iv.zeroize();
            }
            TlsCryptoInfo::Chacha20Poly1305(info) => {
                info.key.zeroize();
                info.iv.zeroize();
            }
        }
    }
}

#[cfg(test)]
#[path = "crypto_info_tests.rs"]
mod tests;

//! The key block: what a card up to TLS 1.2 gives up when its handshake is over.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::TlsError;

/// The key block of RFC 5246 §6.3. Secret: wiped on drop, never shown, compared in constant time.
///
/// ```text
/// client MAC | server MAC | client key | server key | client IV | server IV
/// ```
pub struct KeyBlock(Zeroizing<Vec<u8>>);

impl KeyBlock {
    /// Takes over the bytes as the card gave them.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes; the caller must not let copies live longer than needed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Cuts the block. Bytes beyond `shape` are ignored: cards may compute more than is needed.
    ///
    /// # Errors
    /// [`TlsError::ShortKeyBlock`] if it is shorter than `shape`.
    pub fn split(&self, shape: &KeyBlockShape) -> Result<KeyBlockParts<'_>, TlsError> {
        let short = || TlsError::ShortKeyBlock {
            need: shape.total(),
            got: self.0.len(),
        };
        let mut rest = self.0.as_slice();
        let mut cut = |len| {
            let (part, after) = rest.split_at_checked(len).ok_or_else(short)?;
            rest = after;
            Ok::<_, TlsError>(part)
        };
        Ok(KeyBlockParts {
            client_write_mac_key: cut(shape.mac_key_len)?,
            server_write_mac_key: cut(shape.mac_key_len)?,
            client_write_key: cut(shape.write_key_len)?,
            server_write_key: cut(shape.write_key_len)?,
            client_write_iv: cut(shape.fixed_iv_len)?,
            server_write_iv: cut(shape.fixed_iv_len)?,
        })
    }
}

impl PartialEq for KeyBlock {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyBlock {}

impl fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlock({} bytes)", self.0.len())
    }
}

/// Bytes of each kind in a key block; every kind is there once per direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyBlockShape {
    /// Bytes of a MAC key; 0 for AEAD suites.
    pub mac_key_len: usize,
    /// Bytes of a cipher key.
    pub write_key_len: usize,
    /// Bytes of an IV, or of the fixed part of a nonce.
    pub fixed_iv_len: usize,
}

impl KeyBlockShape {
    /// Bytes of the whole block.
    #[must_use]
    pub fn total(&self) -> usize {
        2 * (self.mac_key_len + self.write_key_len + self.fixed_iv_len)
    }
}

/// A key block, cut. The fields borrow from the block and are named as in RFC 5246 §6.3.
pub struct KeyBlockParts<'a> {
    /// Authenticates records of the client; empty for AEAD suites.
    pub client_write_mac_key: &'a [u8],
    /// Authenticates records of the server; empty for AEAD suites.
    pub server_write_mac_key: &'a [u8],
    /// Encrypts records of the client.
    pub client_write_key: &'a [u8],
    /// Encrypts records of the server.
    pub server_write_key: &'a [u8],
    /// IV or fixed part of the nonce, records of the client.
    ///
    /// With block ciphers in TLS 1.0 a card may export the IV it started from or the current
    /// one: take the last cipher block of the Finished record instead.
    pub client_write_iv: &'a [u8],
    /// As `client_write_iv`, records of the server.
    pub server_write_iv: &'a [u8],
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::samples::{hex, vectors};
    use crate::tls::{CipherSuite, ProtocolVersion};

    #[test]
    fn recorded_blocks_of_aes_are_cut_at_20_40_56_72_88() {
        let shape = CipherSuite(0x002F)
            .key_block_shape(ProtocolVersion::TLS1_0)
            .unwrap();
        let recorded = vectors("ext-aes-");
        assert_eq!(recorded.len(), 4);
        for vector in recorded {
            let bytes = vector.key_block_card.clone();
            let block = KeyBlock::new(bytes.clone());
            let parts = block.split(&shape).unwrap();
            assert_eq!(parts.client_write_mac_key, &bytes[..20]);
            assert_eq!(parts.server_write_mac_key, &bytes[20..40]);
            assert_eq!(parts.client_write_key, &bytes[40..56]);
            assert_eq!(parts.server_write_key, &bytes[56..72]);
            // This card exports current IVs: the last cipher blocks of the two Finished records.
            assert_eq!(
                parts.client_write_iv,
                vector.client_last_cipher_block.unwrap()
            );
            assert_eq!(
                parts.server_write_iv,
                vector.server_last_cipher_block.unwrap()
            );
            // Everything but the IVs is the PRF's output.
            assert_eq!(bytes[..72], vector.key_block_prf[..72]);
        }
    }

    #[test]
    fn recorded_blocks_of_rc4_fill_their_shape() {
        let shape = CipherSuite(0x0004)
            .key_block_shape(ProtocolVersion::TLS1_0)
            .unwrap();
        let recorded = vectors("ext-rc4-");
        assert_eq!(recorded.len(), 4);
        for vector in recorded {
            assert_eq!(vector.key_block_card, vector.key_block_prf);
            assert_eq!(vector.key_block_card.len(), shape.total());
            let block = KeyBlock::new(vector.key_block_card.clone());
            let parts = block.split(&shape).unwrap();
            assert_eq!(parts.client_write_mac_key, &vector.key_block_card[..16]);
            assert_eq!(parts.server_write_mac_key, &vector.key_block_card[16..32]);
            assert_eq!(parts.client_write_key, &vector.key_block_card[32..48]);
            assert_eq!(parts.server_write_key, &vector.key_block_card[48..]);
            assert!(parts.client_write_iv.is_empty() && parts.server_write_iv.is_empty());
        }
    }

    /// The key stream of RC4, XORed onto `data`, from byte `skip` of the stream on.
    fn rc4(key: &[u8], skip: usize, data: &[u8]) -> Vec<u8> {
        let mut state: Vec<u8> = (0..=255).collect();
        let mut other = 0u8;
        for index in 0..256 {
            other = other
                .wrapping_add(state[index])
                .wrapping_add(key[index % key.len()]);
            state.swap(index, other.into());
        }
        let (mut index, mut other) = (0u8, 0u8);
        let mut next = || {
            index = index.wrapping_add(1);
            other = other.wrapping_add(state[usize::from(index)]);
            state.swap(index.into(), other.into());
            let place = state[usize::from(index)].wrapping_add(state[usize::from(other)]);
            state[usize::from(place)]
        };
        for _ in 0..skip {
            next();
        }
        data.iter().map(|byte| byte ^ next()).collect()
    }

    #[test]
    fn recorded_rc4_keys_open_the_first_records_of_both_sides() {
        const HEADER: usize = 5;
        const FINISHED_AND_MAC: usize = 16 + 16;
        let shape = CipherSuite(0x0004)
            .key_block_shape(ProtocolVersion::TLS1_0)
            .unwrap();
        let text = include_str!("../../tests/data/vectors.txt");
        let mut opened = 0;
        for section in text
            .split("\n[")
            .filter(|text| text.starts_with("ext-rc4-"))
        {
            let value = |name: &str| {
                let line = section.lines().find_map(|line| line.strip_prefix(name));
                hex(line.unwrap().trim_start_matches([' ', '=']))
            };
            let block = KeyBlock::new(value("key_block_card"));
            let parts = block.split(&shape).unwrap();
            for (key, record) in [
                (parts.client_write_key, value("tls_record_out")),
                (parts.server_write_key, value("tls_record_in")),
            ] {
                let clear = rc4(key, FINISHED_AND_MAC, &record[HEADER..]);
                assert_eq!(&clear[..16], b"hello from host\n", "{section}");
                opened += 1;
            }
        }
        assert_eq!(opened, 8);
    }

    #[test]
    fn a_longer_block_is_cut_and_a_shorter_one_refused() {
        let shape = KeyBlockShape {
            mac_key_len: 0,
            write_key_len: 2,
            fixed_iv_len: 1,
        };
        let block = KeyBlock::new(hex("0102 0304 05 06 0708"));
        let parts = block.split(&shape).unwrap();
        assert_eq!(parts.client_write_key, [1, 2]);
        assert_eq!(parts.server_write_key, [3, 4]);
        assert_eq!(parts.client_write_iv, [5]);
        assert_eq!(parts.server_write_iv, [6]);

        let short = KeyBlock::new(hex("0102030405"));
        assert_eq!(
            short.split(&shape).err(),
            Some(TlsError::ShortKeyBlock { need: 6, got: 5 })
        );
    }

    #[test]
    fn never_shows_its_bytes() {
        let block = KeyBlock::new(vec![0xA5; 40]);
        assert_eq!(format!("{block:?}"), "KeyBlock(40 bytes)");
    }

    #[test]
    fn equal_bytes_are_equal_blocks() {
        assert_eq!(KeyBlock::new(vec![1, 2]), KeyBlock::new(vec![1, 2]));
        assert_ne!(KeyBlock::new(vec![1, 2]), KeyBlock::new(vec![1, 3]));
        assert_ne!(KeyBlock::new(vec![1, 2]), KeyBlock::new(vec![1, 2, 3]));
    }

    proptest! {
        #[test]
        fn every_strict_prefix_is_refused(
            mac_key_len in 0..48usize, write_key_len in 1..32usize, fixed_iv_len in 0..16usize,
            cut in any::<prop::sample::Index>(),
        ) {
            let shape = KeyBlockShape { mac_key_len, write_key_len, fixed_iv_len };
            prop_assert!(KeyBlock::new(vec![0; shape.total()]).split(&shape).is_ok());
            let len = cut.index(shape.total());
            prop_assert!(KeyBlock::new(vec![0; len]).split(&shape).is_err());
        }
    }
}

//! Cipher suites: what each needs from a key block, and which we can run.

use std::fmt;

use super::key_block::KeyBlockShape;
use super::version::ProtocolVersion;

/// A cipher suite as its two bytes on the wire; unknown suites survive decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CipherSuite(pub u16);

impl CipherSuite {
    /// The name in the IANA registry; nothing for a suite that we know nothing about.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.facts().map(|suite| suite.name)
    }

    /// Whether the suite belongs to TLS 1.3, which has no key block.
    #[must_use]
    pub fn is_tls13(self) -> bool {
        self.facts()
            .is_some_and(|suite| suite.tls13_hash_len.is_some())
    }

    /// Bytes in the hash of a TLS 1.3 suite, and so in each traffic secret.
    #[must_use]
    pub fn hash_len(self) -> Option<usize> {
        self.facts()?.tls13_hash_len
    }

    /// How the key block of this suite is cut in `version`; nothing where the two do not go
    /// together, and for TLS 1.3.
    ///
    /// In TLS 1.0 the IVs of block ciphers are part of the key block; later versions send one
    /// with each record. For AEAD suites the IV is the fixed part of the nonce.
    ///
    /// Source: RFC 2246 §6.3, RFC 4346 §6.3, RFC 5246 §6.3, RFC 5288 §3, RFC 7905 §2.
    #[must_use]
    pub fn key_block_shape(self, version: ProtocolVersion) -> Option<KeyBlockShape> {
        let suite = self.facts()?;
        if !(suite.first_version..=ProtocolVersion::TLS1_2).contains(&version) {
            return None;
        }
        let (write_key_len, fixed_iv_len) = match suite.cipher {
            Cipher::Stream { key } => (key, 0),
            Cipher::Block { key, block } if version == ProtocolVersion::TLS1_0 => (key, block),
            Cipher::Block { key, .. } => (key, 0),
            Cipher::Aead(aead) => (aead.key_len(), aead.tls12_fixed_iv_len()),
            Cipher::Ccm { key } => (key, GCM_SALT_LEN),
        };
        Some(KeyBlockShape {
            mac_key_len: suite.mac_key_len,
            write_key_len,
            fixed_iv_len,
        })
    }

    /// The algorithm that protects records, if the record layer here can run it.
    #[must_use]
    pub fn aead(self) -> Option<Aead> {
        match self.facts()?.cipher {
            Cipher::Aead(aead) => Some(aead),
            Cipher::Stream { .. } | Cipher::Block { .. } | Cipher::Ccm { .. } => None,
        }
    }

    fn facts(self) -> Option<&'static Facts> {
        SUITES.iter().find(|suite| suite.code == self.0)
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "cipher suite {:04X}", self.0),
        }
    }
}

/// An AEAD algorithm of the record layer. All three have a 12-byte nonce and a 16-byte tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aead {
    /// AES-128 in Galois/Counter mode.
    Aes128Gcm,
    /// AES-256 in Galois/Counter mode.
    Aes256Gcm,
    /// ChaCha20 with Poly1305 (RFC 8439).
    ChaCha20Poly1305,
}

impl Aead {
    /// Bytes in a key.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Whether a TLS 1.2 record carries 8 bytes of its nonce in front of the ciphertext.
    #[must_use]
    pub fn has_tls12_explicit_nonce(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes256Gcm)
    }

    fn tls12_fixed_iv_len(self) -> usize {
        if self.has_tls12_explicit_nonce() {
            GCM_SALT_LEN
        } else {
            CHACHA20_IV_LEN
        }
    }
}

/// Bytes of the nonce that stay the same in GCM and CCM suites of TLS 1.2 (RFC 5288 §3).
const GCM_SALT_LEN: usize = 4;
/// Bytes of the IV of ChaCha20 suites (RFC 7905 §2).
const CHACHA20_IV_LEN: usize = 12;

struct Facts {
    code: u16,
    name: &'static str,
    cipher: Cipher,
    mac_key_len: usize,
    first_version: ProtocolVersion,
    tls13_hash_len: Option<usize>,
}

enum Cipher {
    Stream { key: usize },
    Block { key: usize, block: usize },
    Aead(Aead),
    Ccm { key: usize },
}

const MD5: usize = 16;
const SHA1: usize = 20;
const SHA256: usize = 32;
const SHA384: usize = 48;

const RC4: Cipher = Cipher::Stream { key: 16 };
const TRIPLE_DES: Cipher = Cipher::Block { key: 24, block: 8 };
const AES_128_CBC: Cipher = Cipher::Block { key: 16, block: 16 };
const AES_256_CBC: Cipher = Cipher::Block { key: 32, block: 16 };
const AES_128_GCM: Cipher = Cipher::Aead(Aead::Aes128Gcm);
const AES_256_GCM: Cipher = Cipher::Aead(Aead::Aes256Gcm);
const CHACHA20: Cipher = Cipher::Aead(Aead::ChaCha20Poly1305);
const AES_128_CCM: Cipher = Cipher::Ccm { key: 16 };

/// A suite with a MAC of its own, from TLS 1.0 on.
const fn with_mac(code: u16, name: &'static str, cipher: Cipher, mac_key_len: usize) -> Facts {
    let first_version = ProtocolVersion::TLS1_0;
    Facts {
        code,
        name,
        cipher,
        mac_key_len,
        first_version,
        tls13_hash_len: None,
    }
}

/// A suite that TLS 1.2 brought.
const fn tls12(code: u16, name: &'static str, cipher: Cipher, mac_key_len: usize) -> Facts {
    let first_version = ProtocolVersion::TLS1_2;
    Facts {
        code,
        name,
        cipher,
        mac_key_len,
        first_version,
        tls13_hash_len: None,
    }
}

/// A suite of TLS 1.3.
const fn tls13(code: u16, name: &'static str, cipher: Cipher, hash_len: usize) -> Facts {
    let first_version = ProtocolVersion::TLS1_3;
    Facts {
        code,
        name,
        cipher,
        mac_key_len: 0,
        first_version,
        tls13_hash_len: Some(hash_len),
    }
}

static SUITES: [Facts; 23] = [
    with_mac(0x0004, "TLS_RSA_WITH_RC4_128_MD5", RC4, MD5),
    with_mac(0x0005, "TLS_RSA_WITH_RC4_128_SHA", RC4, SHA1),
    with_mac(0x000A, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", TRIPLE_DES, SHA1),
    with_mac(0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA", AES_128_CBC, SHA1),
    with_mac(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", AES_256_CBC, SHA1),
    tls12(
        0x003C,
        "TLS_RSA_WITH_AES_128_CBC_SHA256",
        AES_128_CBC,
        SHA256,
    ),
    tls12(0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256", AES_128_GCM, 0),
    tls12(0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384", AES_256_GCM, 0),
    tls13(0x1301, "TLS_AES_128_GCM_SHA256", AES_128_GCM, SHA256),
    tls13(0x1302, "TLS_AES_256_GCM_SHA384", AES_256_GCM, SHA384),
    tls13(0x1303, "TLS_CHACHA20_POLY1305_SHA256", CHACHA20, SHA256),
    tls13(0x1304, "TLS_AES_128_CCM_SHA256", AES_128_CCM, SHA256),
    tls13(0x1305, "TLS_AES_128_CCM_8_SHA256", AES_128_CCM, SHA256),
    with_mac(
        0xC013,
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        AES_128_CBC,
        SHA1,
    ),
    with_mac(
        0xC014,
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        AES_256_CBC,
        SHA1,
    ),
    tls12(
        0xC027,
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        AES_128_CBC,
        SHA256,
    ),
    tls12(
        0xC02B,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        AES_128_GCM,
        0,
    ),
    tls12(
        0xC02C,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        AES_256_GCM,
        0,
    ),
    tls12(
        0xC02F,
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        AES_128_GCM,
        0,
    ),
    tls12(
        0xC030,
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        AES_256_GCM,
        0,
    ),
    tls12(0xC09C, "TLS_RSA_WITH_AES_128_CCM", AES_128_CCM, 0),
    tls12(
        0xCCA8,
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        CHACHA20,
        0,
    ),
    tls12(
        0xCCA9,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        CHACHA20,
        0,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_blocks_have_the_lengths_of_the_card_specification() {
        // suite, TLS 1.0, TLS 1.1, TLS 1.2
        let table = [
            (0x0004, Some(64), Some(64), Some(64)),
            (0x0005, Some(72), Some(72), Some(72)),
            (0x000A, Some(104), Some(88), Some(88)),
            (0x002F, Some(104), Some(72), Some(72)),
            (0xC013, Some(104), Some(72), Some(72)),
            (0x0035, Some(136), Some(104), Some(104)),
            (0xC014, Some(136), Some(104), Some(104)),
            (0x003C, None, None, Some(96)),
            (0xC027, None, None, Some(96)),
            (0x009C, None, None, Some(40)),
            (0xC02F, None, None, Some(40)),
            (0xC02B, None, None, Some(40)),
            (0xC09C, None, None, Some(40)),
            (0x009D, None, None, Some(72)),
            (0xC030, None, None, Some(72)),
            (0xC02C, None, None, Some(72)),
            (0xCCA8, None, None, Some(88)),
            (0xCCA9, None, None, Some(88)),
            (0x1301, None, None, None),
            (0x1302, None, None, None),
            (0x1303, None, None, None),
        ];
        for (code, tls10, tls11, tls12) in table {
            let total = |version| {
                CipherSuite(code)
                    .key_block_shape(version)
                    .map(|s| s.total())
            };
            assert_eq!(
                total(ProtocolVersion::TLS1_0),
                tls10,
                "{code:04X} in TLS 1.0"
            );
            assert_eq!(
                total(ProtocolVersion::TLS1_1),
                tls11,
                "{code:04X} in TLS 1.1"
            );
            assert_eq!(
                total(ProtocolVersion::TLS1_2),
                tls12,
                "{code:04X} in TLS 1.2"
            );
            assert_eq!(
                total(ProtocolVersion::TLS1_3),
                None,
                "{code:04X} in TLS 1.3"
            );
            assert_eq!(
                total(ProtocolVersion(0x0300)),
                None,
                "{code:04X} in SSL 3.0"
            );
        }
    }

    #[test]
    fn traffic_secrets_are_as_long_as_the_hash() {
        for (code, hash_len) in [
            (0x1301, Some(32)),
            (0x1302, Some(48)),
            (0x1303, Some(32)),
            (0x1304, Some(32)),
            (0x1305, Some(32)),
            (0xC02F, None),
            (0xFFFF, None),
        ] {
            assert_eq!(CipherSuite(code).hash_len(), hash_len, "{code:04X}");
            assert_eq!(
                CipherSuite(code).is_tls13(),
                hash_len.is_some(),
                "{code:04X}"
            );
        }
    }

    #[test]
    fn runs_gcm_and_chacha20_only() {
        assert_eq!(CipherSuite(0xC02F).aead(), Some(Aead::Aes128Gcm));
        assert_eq!(CipherSuite(0x1302).aead(), Some(Aead::Aes256Gcm));
        assert_eq!(CipherSuite(0xCCA9).aead(), Some(Aead::ChaCha20Poly1305));
        for code in [0x0004, 0x002F, 0x003C, 0xC09C, 0x1304, 0x1305, 0xFFFF] {
            assert_eq!(CipherSuite(code).aead(), None, "{code:04X}");
        }
    }

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(SUITES.is_sorted_by(|a, b| a.code < b.code));
    }

    #[test]
    fn unknown_suites_show_their_code() {
        assert_eq!(CipherSuite(0x1301).to_string(), "TLS_AES_128_GCM_SHA256");
        assert_eq!(CipherSuite(0xABCD).to_string(), "cipher suite ABCD");
    }
}

//! Which kind of key a slot holds.

use std::fmt;

/// The algorithm of a private key, P1 of GENERAL AUTHENTICATE.
///
/// Source: NIST SP 800-78-4 table 6-2; 05 is of SP 800-78-5 (RSA of 3072 bits), 16 is what vendors
/// use for RSA of 4096 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum KeyAlgorithm {
    /// 05.
    Rsa3072 = 0x05,
    /// 07.
    Rsa2048 = 0x07,
    /// 11.
    P256 = 0x11,
    /// 14.
    P384 = 0x14,
    /// 16.
    Rsa4096 = 0x16,
}

impl KeyAlgorithm {
    /// All of them, by their byte.
    pub const ALL: [Self; 5] = [
        Self::Rsa3072,
        Self::Rsa2048,
        Self::P256,
        Self::P384,
        Self::Rsa4096,
    ];

    /// The algorithm with this byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.byte() == byte)
    }

    /// Its byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        self as u8
    }

    /// The RSA algorithm with a modulus of so many bits.
    #[must_use]
    pub fn rsa(bits: usize) -> Option<Self> {
        match bits {
            2048 => Some(Self::Rsa2048),
            3072 => Some(Self::Rsa3072),
            4096 => Some(Self::Rsa4096),
            _ => None,
        }
    }

    /// The length of the modulus in bytes, for RSA: what the card takes and gives.
    #[must_use]
    pub fn modulus_len(self) -> Option<usize> {
        match self {
            Self::Rsa2048 => Some(256),
            Self::Rsa3072 => Some(384),
            Self::Rsa4096 => Some(512),
            Self::P256 | Self::P384 => None,
        }
    }

    /// The length of what the card takes to sign, in bytes: a padded block, or a digest.
    #[must_use]
    pub fn input_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::Rsa2048 => 256,
            Self::Rsa3072 => 384,
            Self::Rsa4096 => 512,
        }
    }
}

/// As an operator would name it.
impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rsa2048 => "RSA-2048",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_have_the_bytes_of_the_standard() {
        let table = [
            (KeyAlgorithm::Rsa3072, 0x05, "RSA-3072", 384),
            (KeyAlgorithm::Rsa2048, 0x07, "RSA-2048", 256),
            (KeyAlgorithm::P256, 0x11, "P-256", 32),
            (KeyAlgorithm::P384, 0x14, "P-384", 48),
            (KeyAlgorithm::Rsa4096, 0x16, "RSA-4096", 512),
        ];
        for (algorithm, byte, name, input) in table {
            assert_eq!(algorithm.byte(), byte);
            assert_eq!(KeyAlgorithm::from_byte(byte), Some(algorithm));
            assert_eq!(algorithm.to_string(), name);
            assert_eq!(algorithm.input_len(), input);
            assert!(algorithm.modulus_len().is_none_or(|len| len == input));
        }
        for unknown in [0x00, 0x03, 0x06, 0x17] {
            assert_eq!(KeyAlgorithm::from_byte(unknown), None);
        }
        assert_eq!(KeyAlgorithm::rsa(3072), Some(KeyAlgorithm::Rsa3072));
        assert_eq!(KeyAlgorithm::rsa(1024), None);
    }
}

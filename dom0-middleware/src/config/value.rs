//! Single values as the file writes them.

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// A value that is written as text and read by its `FromStr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<T>(pub(super) T);

impl<'de, T> Deserialize<'de> for Text<T>
where
    T: FromStr<Err: fmt::Display>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

/// SHA-256 as 64 hexadecimal digits, colons between the pairs allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sha256Hex(pub(super) [u8; 32]);

impl FromStr for Sha256Hex {
    type Err = NotSha256;

    fn from_str(text: &str) -> Result<Self, NotSha256> {
        let Bytes(bytes) = text.parse().map_err(|_| NotSha256)?;
        bytes.try_into().map(Self).map_err(|_| NotSha256)
    }
}

/// Not a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the 64 hexadecimal digits of a SHA-256")]
pub(super) struct NotSha256;

/// Bytes as pairs of hexadecimal digits, spaces and colons between the pairs allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl FromStr for Bytes {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        let digits = |pair: &str| match pair.as_bytes() {
            [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                u8::from_str_radix(pair, 16).map_err(|_| NotHex)
            }
            _ => Err(NotHex),
        };
        let mut bytes = Vec::new();
        for group in text.split([' ', ':']) {
            let pairs = group.as_bytes().chunks(2);
            for pair in pairs {
                bytes.push(digits(str::from_utf8(pair).map_err(|_| NotHex)?)?);
            }
        }
        Ok(Self(bytes))
    }
}

/// Not bytes in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not pairs of hexadecimal digits")]
pub(super) struct NotHex;

/// A time in milliseconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Millis(NonZeroU64);

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0.get())
    }
}

/// A number of things, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Count(NonZeroUsize);

impl From<Count> for usize {
    fn from(count: Count) -> Self {
        count.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sha256_may_have_colons_and_either_case() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        for text in [plain, colons] {
            assert_eq!(text.parse(), Ok(Sha256Hex([0xAB; 32])));
        }
        assert_eq!("A0 86 0000".parse(), Ok(Bytes(vec![0xA0, 0x86, 0, 0])));
        for bad in ["a", "A0 8", "+1", "zz", "é"] {
            assert_eq!(bad.parse::<Bytes>(), Err(NotHex), "{bad}");
        }
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert_eq!(bad.parse::<Sha256Hex>(), Err(NotSha256), "{bad}");
        }
    }
}

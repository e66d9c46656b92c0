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
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(NotSha256);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let digit = char::from(*digit).to_digit(16).ok_or(NotSha256)?;
                *byte = *byte << 4 | u8::try_from(digit).map_err(|_| NotSha256)?;
            }
        }
        Ok(Self(hash))
    }
}

/// Not a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the 64 hexadecimal digits of a SHA-256")]
pub(super) struct NotSha256;

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
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert_eq!(bad.parse::<Sha256Hex>(), Err(NotSha256), "{bad}");
        }
    }
}

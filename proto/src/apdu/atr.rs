//! What a card says when it gets power.

use std::fmt;

use crate::error::DecodeError;

/// An answer to reset: 2 to 33 bytes, the first of them 3B or 3F.
///
/// Only kept, compared and shown; what it says about the protocol is the reader's business.
///
/// Source: ISO/IEC 7816-3 §8.2.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Atr(Vec<u8>);

impl Atr {
    /// Reads an answer to reset.
    ///
    /// # Errors
    /// [`DecodeError`] for another length or first byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (what, got) = ("answer to reset", bytes.len());
        match bytes {
            _ if got > MAX_LEN => Err(DecodeError::TooLong {
                what,
                max: MAX_LEN,
                got,
            }),
            [0x3B | 0x3F, _, ..] => Ok(Self(bytes.to_vec())),
            [other, _, ..] => Err(DecodeError::Unexpected {
                what,
                got: (*other).into(),
            }),
            _ => Err(DecodeError::Truncated {
                what,
                need: MIN_LEN,
                got,
            }),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Pairs of digits, spaced: `3B 87 01`.
impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Atr({self})")
    }
}

const MIN_LEN: usize = 2;
const MAX_LEN: usize = 33;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_reset_is_kept_as_it_came() {
        let atr = Atr::decode(&[0x3B, 0x80, 0x01, 0x81]).expect("an ATR");
        assert_eq!(atr.as_bytes(), [0x3B, 0x80, 0x01, 0x81]);
        assert_eq!(atr.to_string(), "3B 80 01 81");
        assert!(Atr::decode(&[[0x3F].as_slice(), &[0; 32]].concat()).is_ok());
    }

    #[test]
    fn other_bytes_are_refused() {
        for bad in [&[][..], &[0x3B], &[0x00, 0x00], &[0x3B; 34]] {
            assert!(Atr::decode(bad).is_err(), "{bad:02X?}");
        }
    }
}

//! Data objects of the application.

use std::fmt;

use super::tlv::{TlvReader, TlvWriter};
use crate::error::DecodeError;

/// The tag of a data object, as GET DATA names it.
///
/// Source: NIST SP 800-73-4 Part 1, table 3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectTag(pub u32);

impl ObjectTag {
    /// Card capability container.
    pub const CAPABILITIES: Self = Self(0x5F_C107);
    /// Cardholder unique identifier.
    pub const CHUID: Self = Self(0x5F_C102);
    /// Key history.
    pub const KEY_HISTORY: Self = Self(0x5F_C10C);
    /// Discovery object, the only one with a tag of one byte.
    pub const DISCOVERY: Self = Self(0x7E);

    /// Its bytes: three, or the one of the discovery object.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let written = self.0.to_be_bytes();
        let zeroes = written.iter().take_while(|byte| **byte == 0).count();
        written.into_iter().skip(zeroes).collect()
    }

    /// The object out of the answer to GET DATA: what is in `53`, or in `7E` for the discovery
    /// object. What follows is not looked at; some cards pad.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn unwrap(self, answer: &[u8]) -> Result<&[u8], DecodeError> {
        TlvReader::new(answer).expect(self.wrapping(), "data object")
    }

    /// The answer to GET DATA that carries `object`.
    #[must_use]
    pub fn wrap(self, object: &[u8]) -> Vec<u8> {
        TlvWriter::new().with(self.wrapping(), object).into_bytes()
    }

    fn wrapping(self) -> u32 {
        match self {
            Self::DISCOVERY => self.0,
            _ => 0x53,
        }
    }
}

impl TryFrom<&[u8]> for ObjectTag {
    type Error = DecodeError;

    /// Reads a tag of one or three bytes.
    fn try_from(bytes: &[u8]) -> Result<Self, DecodeError> {
        match *bytes {
            [one] => Ok(Self(one.into())),
            [high, middle, low] => Ok(Self(u32::from_be_bytes([0, high, middle, low]))),
            _ => Err(DecodeError::Unexpected {
                what: "length of an object's tag",
                got: bytes.len() as u64,
            }),
        }
    }
}

impl fmt::Display for ObjectTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

impl fmt::Debug for ObjectTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectTag({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_their_bytes() {
        assert_eq!(ObjectTag::CHUID.to_bytes(), [0x5F, 0xC1, 0x02]);
        assert_eq!(ObjectTag::DISCOVERY.to_bytes(), [0x7E]);
        for tag in [ObjectTag::CHUID, ObjectTag::DISCOVERY] {
            assert_eq!(ObjectTag::try_from(&tag.to_bytes()[..]), Ok(tag));
        }
        assert_eq!(ObjectTag::CHUID.to_string(), "5FC102");
        for bad in [&[][..], &[1, 2], &[1, 2, 3, 4]] {
            assert!(ObjectTag::try_from(bad).is_err());
        }
    }

    #[test]
    fn an_object_is_taken_out_of_its_answer() {
        let answer = ObjectTag::CHUID.wrap(&[1, 2]);
        assert_eq!(answer, [0x53, 2, 1, 2]);
        assert_eq!(ObjectTag::CHUID.unwrap(&answer), Ok(&[1, 2][..]));
        assert!(ObjectTag::DISCOVERY.unwrap(&answer).is_err());
        let padded = [&answer[..], &[0, 0]].concat();
        assert_eq!(ObjectTag::CHUID.unwrap(&padded), Ok(&[1, 2][..]));
        assert_eq!(ObjectTag::DISCOVERY.wrap(&[7]), [0x7E, 1, 7]);
        assert!(ObjectTag::CHUID.unwrap(&[]).is_err());
    }
}

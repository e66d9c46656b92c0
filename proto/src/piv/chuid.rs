//! The cardholder unique identifier: what tells one card from another.

use super::tlv::{TlvReader, TlvWriter};
use crate::error::DecodeError;

/// The parts of a CHUID that are of use here. Its signature is not checked: nobody here knows the
/// issuer.
///
/// ```text
/// 30 FASC-N (25 bytes)   34 GUID (16)   35 expiration, YYYYMMDD   3E signature   FE (empty)
/// ```
///
/// Source: NIST SP 800-73-4 Part 1, table 9 and §3.1.2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chuid {
    /// 30, for cards of federal agencies; others have a constant there.
    pub fasc_n: Vec<u8>,
    /// 34, the number of this card; `None` when it is not 16 bytes.
    pub guid: Option<[u8; 16]>,
    /// 35, when the card ends: eight digits; `None` when it is not that.
    pub expiration: Option<[u8; 8]>,
}

impl Chuid {
    /// Reads the object. Elements that are not known are passed over.
    ///
    /// # Errors
    /// [`DecodeError`] if it is not made of data objects.
    pub fn decode(object: &[u8]) -> Result<Self, DecodeError> {
        let mut chuid = Self::default();
        let mut reader = TlvReader::new(object);
        while let Some(next) = reader.take_next()? {
            match next.tag {
                TAG_FASC_N => chuid.fasc_n = next.value.to_vec(),
                TAG_GUID => chuid.guid = next.value.try_into().ok(),
                TAG_EXPIRATION => {
                    let digits = next.value.try_into().ok();
                    chuid.expiration =
                        digits.filter(|digits: &[u8; 8]| digits.iter().all(u8::is_ascii_digit));
                }
                _ => {}
            }
        }
        Ok(chuid)
    }

    /// The object, without a signature.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut object = TlvWriter::new().with(TAG_FASC_N, &self.fasc_n);
        if let Some(guid) = &self.guid {
            object = object.with(TAG_GUID, guid);
        }
        if let Some(expiration) = &self.expiration {
            object = object.with(TAG_EXPIRATION, expiration);
        }
        object
            .with(TAG_SIGNATURE, &[])
            .with(TAG_ERROR_DETECTION, &[])
            .into_bytes()
    }
}

const TAG_FASC_N: u32 = 0x30;
const TAG_GUID: u32 = 0x34;
const TAG_EXPIRATION: u32 = 0x35;
const TAG_SIGNATURE: u32 = 0x3E;
const TAG_ERROR_DETECTION: u32 = 0xFE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_found_and_written_again() {
        let chuid = Chuid {
            fasc_n: vec![0xD4; 25],
            guid: Some([7; 16]),
            expiration: Some(*b"20301231"),
        };
        let bytes = chuid.encode();
        assert_eq!(bytes[..2], [0x30, 25]);
        assert_eq!(bytes[27..29], [0x34, 16]);
        assert_eq!(bytes[45..55], *b"\x35\x0820301231");
        assert_eq!(bytes[55..], [0x3E, 0, 0xFE, 0]);
        assert_eq!(Chuid::decode(&bytes), Ok(chuid));
    }

    #[test]
    fn odd_parts_are_left_out_and_no_objects_refused() {
        let odd = [0x34, 2, 1, 2, 0x35, 8, 0, 1, 2, 3, 4, 5, 6, 7, 0x99, 1, 1];
        assert_eq!(Chuid::decode(&odd), Ok(Chuid::default()));
        assert!(Chuid::decode(&odd[..9]).is_err());
    }
}

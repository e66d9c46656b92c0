//! A card's response.

use std::fmt;

use zeroize::Zeroizing;

use super::status::StatusWord;
use crate::error::DecodeError;

/// A response APDU, or the whole answer gathered from several. Its data may be a KeyBlock: it is
/// wiped on drop and shown by nothing.
///
/// Source: ISO/IEC 7816-4 §5.1.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseApdu {
    /// The status word.
    pub sw: StatusWord,
    data: Zeroizing<Vec<u8>>,
}

impl ResponseApdu {
    /// The longest response, in bytes: what a reader passes on from a card with extended length.
    pub const MAX_LEN: usize = 65_536 + SW_LEN;

    /// A response with this data.
    #[must_use]
    pub fn new(data: impl Into<Zeroizing<Vec<u8>>>, sw: StatusWord) -> Self {
        let data = data.into();
        Self { sw, data }
    }

    /// Its data.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Its data, by value.
    #[must_use]
    pub fn into_data(self) -> Zeroizing<Vec<u8>> {
        self.data
    }

    /// Its bytes: data, SW1, SW2.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.data.len() + SW_LEN));
        bytes.extend_from_slice(&self.data);
        bytes.extend(self.sw.0.to_be_bytes());
        bytes
    }

    /// Reads a response of 2 to [`Self::MAX_LEN`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`] for fewer and for more.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (what, got) = ("response", bytes.len());
        if got > Self::MAX_LEN {
            let max = Self::MAX_LEN;
            return Err(DecodeError::TooLong { what, max, got });
        }
        let (data, sw) = bytes.split_last_chunk().ok_or(DecodeError::Truncated {
            what,
            need: SW_LEN,
            got,
        })?;
        Ok(Self::new(
            data.to_vec(),
            StatusWord(u16::from_be_bytes(*sw)),
        ))
    }
}

/// Shows the length and the status word.
impl fmt::Debug for ResponseApdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes) {:04X}", self.data.len(), self.sw.0)
    }
}

const SW_LEN: usize = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_response_has_a_status_word() {
        let (what, need) = ("response", 2);
        for got in 0..2 {
            let refused = ResponseApdu::decode(&[0x90, 0x00][..got]);
            assert_eq!(refused, Err(DecodeError::Truncated { what, need, got }));
        }
        let response = ResponseApdu::decode(&[0x90, 0x00]).expect("a status word");
        assert!(response.sw.is_success() && response.data().is_empty());
    }

    #[test]
    fn more_than_any_card_gives_is_refused() {
        assert!(ResponseApdu::decode(&vec![0; ResponseApdu::MAX_LEN]).is_ok());
        assert!(ResponseApdu::decode(&vec![0; ResponseApdu::MAX_LEN + 1]).is_err());
    }

    #[test]
    fn debug_shows_no_data() {
        let response = ResponseApdu::new(vec![0xAB; 40], StatusWord::SUCCESS);
        assert_eq!(format!("{response:?}"), "(40 bytes) 9000");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_encoded_decodes_to_the_same(
            data in prop::collection::vec(any::<u8>(), 0..300), sw: u16,
        ) {
            let response = ResponseApdu::new(data, StatusWord(sw));
            prop_assert_eq!(ResponseApdu::decode(&response.encode()), Ok(response));
        }
    }
}

//! The name of an application on a card.

use std::fmt;
use std::str::FromStr;

/// An application identifier: 5 to 16 bytes.
///
/// As text: hexadecimal digits without separators.
///
/// Source: ISO/IEC 7816-4 §8.2.1.2.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Aid {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl Aid {
    /// The EAP-TLS application, `A000000030 0002FFFFFFFF 89 "128" 00`.
    ///
    /// Source: specs/eap-tls-card.md §5.1.
    pub const EAP_TLS: Self = Self {
        bytes: *b"\xA0\x00\x00\x00\x30\x00\x02\xFF\xFF\xFF\xFF\x89128\x00",
        len: MAX_LEN,
    };

    /// For names known when this is compiled; `N` is 5 to 16.
    #[cfg(feature = "piv")]
    pub(crate) const fn from_array<const N: usize>(name: &[u8; N]) -> Self {
        assert!(N >= MIN_LEN && N <= MAX_LEN, "5 to 16 bytes");
        let mut bytes = [0; MAX_LEN];
        let mut at = 0;
        while at < N {
            bytes[at] = name[at];
            at += 1;
        }
        Self { bytes, len: N }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl TryFrom<&[u8]> for Aid {
    type Error = AidError;

    fn try_from(bytes: &[u8]) -> Result<Self, AidError> {
        let len = bytes.len();
        let mut padded = [0; MAX_LEN];
        match padded.get_mut(..len) {
            Some(place) if len >= MIN_LEN => place.copy_from_slice(bytes),
            _ => return Err(AidError::Length { got: len }),
        }
        Ok(Self { bytes: padded, len })
    }
}

impl FromStr for Aid {
    type Err = AidError;

    fn from_str(text: &str) -> Result<Self, AidError> {
        let digit = |byte: &u8| {
            let digit = char::from(*byte).to_digit(16).ok_or(AidError::Digits)?;
            u8::try_from(digit).map_err(|_| AidError::Digits)
        };
        let bytes: Result<Vec<u8>, AidError> = text
            .as_bytes()
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Ok(digit(high)? << 4 | digit(low)?),
                _ => Err(AidError::Digits),
            })
            .collect();
        bytes?.as_slice().try_into()
    }
}

impl fmt::Display for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.as_bytes().iter();
        bytes.try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aid({self})")
    }
}

/// Why something is no AID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AidError {
    /// Too short or too long.
    #[error("AID of {got} bytes, 5 to 16 allowed")]
    Length {
        /// Its bytes.
        got: usize,
    },
    /// Not pairs of hexadecimal digits.
    #[error("an AID is written in pairs of hexadecimal digits")]
    Digits,
}

const MIN_LEN: usize = 5;
const MAX_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_eap_tls_application_has_the_name_of_the_papers() {
        let text = "A0000000300002FFFFFFFF8931323800";
        assert_eq!(Aid::EAP_TLS.to_string(), text);
        assert_eq!(text.to_lowercase().parse(), Ok(Aid::EAP_TLS));
    }

    #[test]
    fn other_texts_are_refused() {
        assert_eq!("A0000000".parse::<Aid>(), Err(AidError::Length { got: 4 }));
        let long = "00".repeat(17);
        assert_eq!(long.parse::<Aid>(), Err(AidError::Length { got: 17 }));
        for bad in ["A00000003", "A0 00 00 00 30", "+0+0+0+0+0", "éééééé"] {
            assert_eq!(bad.parse::<Aid>(), Err(AidError::Digits), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_aid_is_its_text(bytes in prop::collection::vec(any::<u8>(), 5..=16)) {
            let aid = Aid::try_from(&bytes[..]).expect("5 to 16 bytes");
            prop_assert_eq!(aid.as_bytes(), &bytes);
            prop_assert_eq!(aid.to_string().parse(), Ok(aid));
        }
    }
}

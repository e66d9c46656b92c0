//! The PIN of a card.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A PIN: 4 to 8 ASCII digits. Wiped on drop, shown by nothing, compared in constant time.
///
/// Source: specs/eap-tls-card.md §5.2.
#[derive(Clone)]
pub struct Pin(Zeroizing<Vec<u8>>);

impl Pin {
    /// The length of a padded PIN, in bytes.
    pub const PADDED_LEN: usize = 8;

    /// The PIN with these digits.
    ///
    /// # Errors
    /// [`PinError`] for anything but 4 to 8 digits.
    pub fn new(digits: &[u8]) -> Result<Self, PinError> {
        let is_pin = (MIN_LEN..=Self::PADDED_LEN).contains(&digits.len())
            && digits.iter().all(u8::is_ascii_digit);
        is_pin
            .then(|| Self(Zeroizing::new(digits.to_vec())))
            .ok_or(PinError)
    }

    /// Reads a PIN as VERIFY carries it.
    ///
    /// # Errors
    /// [`PinError`] if the digits, padding taken off, are no PIN.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, PinForm), PinError> {
        let digits = bytes.iter().take_while(|byte| **byte != PADDING).count();
        let (digits, padding) = bytes.split_at(digits);
        let is_padded =
            bytes.len() == Self::PADDED_LEN && padding.iter().all(|byte| *byte == PADDING);
        match padding {
            [] => Ok((Self::new(digits)?, PinForm::Digits)),
            _ if is_padded => Ok((Self::new(digits)?, PinForm::Padded)),
            _ => Err(PinError),
        }
    }

    /// Reads a PIN as a PIV card gets it: eight bytes, filled up with FF.
    ///
    /// # Errors
    /// [`PinError`] for another length, and if the digits are no PIN.
    ///
    /// Source: NIST SP 800-73-4 Part 2 §2.4.3.
    #[cfg(feature = "piv")]
    pub(crate) fn from_padded(bytes: &[u8]) -> Result<Self, PinError> {
        match bytes.len() {
            Self::PADDED_LEN => Self::decode(bytes).map(|(pin, _)| pin),
            _ => Err(PinError),
        }
    }

    /// Its digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its digits, filled up with FF.
    #[must_use]
    pub fn padded(&self) -> Zeroizing<[u8; Self::PADDED_LEN]> {
        let mut padded = Zeroizing::new([PADDING; Self::PADDED_LEN]);
        padded
            .iter_mut()
            .zip(self.0.iter())
            .for_each(|(to, from)| *to = *from);
        padded
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        self.padded()[..].ct_eq(&other.padded()[..]).into()
    }
}

impl Eq for Pin {}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// How VERIFY carries a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinForm {
    /// The digits alone. Known cards pad by themselves.
    Digits,
    /// Eight bytes, filled up with FF.
    Padded,
}

/// Whose PIN it is; P2 of VERIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinHolder {
    /// 00: the bearer's, for handshakes.
    User,
    /// 01: the operator's, for personalisation.
    Operator,
}

/// Not a PIN. What it was instead is not told: it may be one with a slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PIN is 4 to 8 digits")]
pub struct PinError;

const MIN_LEN: usize = 4;
const PADDING: u8 = 0xFF;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_four_to_eight_digits() {
        for good in [&b"0000"[..], b"12345678"] {
            assert_eq!(Pin::new(good).expect("digits").as_bytes(), good);
        }
        for bad in [
            &b""[..],
            b"123",
            b"123456789",
            b"12a4",
            b"1234\n",
            b"1234\xFF",
        ] {
            assert_eq!(Pin::new(bad), Err(PinError));
        }
    }

    #[test]
    fn padding_fills_up_eight_bytes() {
        let pin = Pin::new(b"12345").expect("digits");
        assert_eq!(&pin.padded()[..], b"12345\xFF\xFF\xFF");
        assert_eq!(
            Pin::decode(&pin.padded()[..]),
            Ok((pin.clone(), PinForm::Padded))
        );
        assert_eq!(Pin::decode(b"12345"), Ok((pin, PinForm::Digits)));
        for bad in [
            &b"1234\xFF"[..],
            b"1234\xFF5\xFF\xFF",
            b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        ] {
            assert_eq!(Pin::decode(bad), Err(PinError));
        }
    }

    #[test]
    fn debug_shows_no_digit() {
        let shown = format!("{:?}", Pin::new(b"97531").expect("digits"));
        assert!(
            !shown.contains(|shown: char| shown.is_ascii_digit()),
            "{shown}"
        );
    }
}

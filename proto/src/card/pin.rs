//! The PIN of a card.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A PIN: 4 to 8 ASCII digits, on PIV cards 6 at least, and on some of them other characters. Wiped on
/// drop, shown by nothing, compared in constant time.
///
/// Source: specs/eap-tls-card.md §5.2; NIST SP 800-73-4 Part 2 §2.4.3.
#[derive(Clone)]
pub struct Pin(Zeroizing<Vec<u8>>);

/// Which characters a card takes in its PIN, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinCharacters {
    /// 4 to 8 digits: EAP-TLS cards.
    Digits,
    /// 6 to 8 digits: PIV cards by the standard, which may count a shorter one as a wrong one.
    PivDigits,
    /// 6 to 8 printable ASCII characters, as many PIV tokens do.
    Printable,
}

impl PinCharacters {
    fn fit(self, pin: &[u8]) -> bool {
        let min = match self {
            Self::Digits => MIN_LEN,
            Self::PivDigits | Self::Printable => MIN_PIV_LEN,
        };
        let is_one = match self {
            Self::Digits | Self::PivDigits => u8::is_ascii_digit,
            Self::Printable => is_printable,
        };
        (min..=Pin::PADDED_LEN).contains(&pin.len()) && pin.iter().all(is_one)
    }
}

/// What a PIN of these characters is: `4 to 8 digits`.
impl fmt::Display for PinCharacters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "4 to 8 digits",
            Self::PivDigits => "6 to 8 digits",
            Self::Printable => "6 to 8 printable ASCII characters",
        })
    }
}

impl Pin {
    /// The length of a padded PIN, in bytes.
    pub const PADDED_LEN: usize = 8;

    /// The PIN with these digits.
    ///
    /// # Errors
    /// [`PinError`] for anything but 4 to 8 digits.
    pub fn new(digits: &[u8]) -> Result<Self, PinError> {
        Self::of(PinCharacters::Digits, digits)
    }

    /// The PIN that `pin` is, for a card that takes these characters.
    ///
    /// # Errors
    /// [`PinError`] for other characters, for fewer and for more.
    pub fn of(characters: PinCharacters, pin: &[u8]) -> Result<Self, PinError> {
        let pin = characters
            .fit(pin)
            .then(|| Self(Zeroizing::new(pin.to_vec())));
        pin.ok_or(PinError)
    }

    /// Reads a PIN as VERIFY carries it.
    ///
    /// # Errors
    /// [`PinError`] if the digits, padding taken off, are no PIN.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, PinForm), PinError> {
        let (digits, padding) = without_padding(bytes);
        match padding {
            [] => Ok((Self::new(digits)?, PinForm::Digits)),
            _ if is_padded(bytes, padding) => Ok((Self::new(digits)?, PinForm::Padded)),
            _ => Err(PinError),
        }
    }

    /// Reads a PIN as a PIV card gets it: eight bytes, filled up with FF. Whether the card takes such
    /// characters is for the card to say.
    ///
    /// # Errors
    /// [`PinError`] for another length, and for what is a PIN of no card.
    ///
    /// Source: NIST SP 800-73-4 Part 2 §2.4.3.
    #[cfg(feature = "piv")]
    pub(crate) fn from_padded(bytes: &[u8]) -> Result<Self, PinError> {
        let (pin, padding) = without_padding(bytes);
        if !is_padded(bytes, padding) {
            return Err(PinError);
        }
        Self::new(pin).or_else(|_| Self::of(PinCharacters::Printable, pin))
    }

    /// Its digits, or what else it consists of.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same, filled up with FF.
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
#[error("not a PIN")]
pub struct PinError;

/// Where the padding begins.
fn without_padding(bytes: &[u8]) -> (&[u8], &[u8]) {
    let pin = bytes.iter().take_while(|byte| **byte != PADDING).count();
    bytes.split_at(pin)
}

fn is_padded(bytes: &[u8], padding: &[u8]) -> bool {
    bytes.len() == Pin::PADDED_LEN && padding.iter().all(|byte| *byte == PADDING)
}

fn is_printable(byte: &u8) -> bool {
    byte.is_ascii_graphic() || *byte == b' '
}

const MIN_LEN: usize = 4;
const MIN_PIV_LEN: usize = 6;
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
    fn other_characters_are_for_cards_that_take_them() {
        let printable = |pin| Pin::of(PinCharacters::Printable, pin);
        for good in [&b"123456"[..], b"pass-w0r", b"a b~ !\""] {
            assert_eq!(printable(good).expect("printable").as_bytes(), good);
        }
        for bad in [
            &b""[..],
            b"12345",
            b"123456789",
            b"12345\n",
            b"12345\0",
            b"12345\x7F",
            b"12345\xFF",
            "12345é".as_bytes(),
        ] {
            assert_eq!(printable(bad), Err(PinError));
        }
        assert_eq!(Pin::of(PinCharacters::Digits, b"12345a"), Err(PinError));
    }

    #[test]
    fn a_piv_card_has_six_digits_at_least() {
        let piv = |pin| Pin::of(PinCharacters::PivDigits, pin);
        for good in [&b"123456"[..], b"1234567", b"12345678"] {
            assert_eq!(piv(good).expect("digits").as_bytes(), good);
        }
        for bad in [&b""[..], b"1234", b"12345", b"123456789", b"12345a"] {
            assert_eq!(piv(bad), Err(PinError));
        }
    }

    #[test]
    #[cfg(feature = "piv")]
    fn a_piv_card_gets_eight_bytes() {
        for good in [&b"1234"[..], b"123456", b"pass-w0r"] {
            let mut padded = good.to_vec();
            padded.resize(Pin::PADDED_LEN, PADDING);
            let pin = Pin::from_padded(&padded).expect("a PIN");
            assert_eq!((pin.as_bytes(), &pin.padded()[..]), (good, &padded[..]));
        }
        for bad in [
            &b"123456"[..],
            b"pass\xFF\xFF\xFF\xFF",
            b"12345\xFF6\xFF",
            b"12345\n\xFF\xFF",
            b"123456\xFF\xFF\xFF",
        ] {
            assert_eq!(Pin::from_padded(bad), Err(PinError));
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

//! How commands reach a card, and what its answer to reset says of that.

use super::atr::Atr;

/// A transmission protocol.
///
/// Source: ISO/IEC 7816-3 §10 and §11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Characters: a command carries data or brings some, never both. See
    /// [`CommandApdu::encode`](super::CommandApdu::encode).
    T0,
    /// Blocks: commands go as they are.
    T1,
}

impl Protocol {
    /// The first protocol that a card offers, which is the one used unless somebody negotiates:
    /// T=0 when it names none. `None` for one that is neither T=0 nor T=1.
    ///
    /// Source: ISO/IEC 7816-3 §8.2.3.
    #[must_use]
    pub fn first_offered(atr: &Atr) -> Option<Self> {
        let format = atr.as_bytes().get(1)?;
        if format & TD_PRESENT == 0 {
            return Some(Self::T0);
        }
        // TA1, TB1 and TC1 may stand before TD1.
        let before = (format & INTERFACE_BYTES_BEFORE_TD).count_ones() as usize;
        let td1 = atr.as_bytes().get(2 + before)?;
        match td1 & 0x0F {
            0 => Some(Self::T0),
            1 => Some(Self::T1),
            _ => None,
        }
    }
}

/// Bit of T0 that says that TD1 is there, and those for the bytes before it.
const TD_PRESENT: u8 = 0x80;
const INTERFACE_BYTES_BEFORE_TD: u8 = 0x70;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_offer_counts() {
        let first = |bytes: &[u8]| Protocol::first_offered(&Atr::decode(bytes).expect("an ATR"));
        assert_eq!(first(&[0x3B, 0x00]), Some(Protocol::T0));
        assert_eq!(first(&[0x3B, 0x81, 0x01, 0x31]), Some(Protocol::T1));
        assert_eq!(first(&[0x3B, 0x80, 0x80, 0x01, 0x01]), Some(Protocol::T0));
        let with_ta1_and_tc1 = [0x3B, 0xD0, 0x96, 0xFF, 0x81, 0x31];
        assert_eq!(first(&with_ta1_and_tc1), Some(Protocol::T1));
        assert_eq!(first(&[0x3B, 0x80, 0x0F]), None, "global interface bytes");
        assert_eq!(first(&[0x3B, 0xF0, 0x11]), None, "cut off");
    }
}

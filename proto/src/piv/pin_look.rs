//! What a card says of its PIN when it is asked without one.

use crate::apdu::StatusWord;
use crate::card::PinStatus;

/// The answer to VERIFY without a PIN, which costs nothing and is the only way to see how many tries
/// are left.
///
/// Source: NIST SP 800-73-4 Part 2 §3.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinLook {
    /// It was verified before.
    Verified,
    /// So many tries are left, one at least. Software leaves the last one alone.
    Tries(u8),
    /// None is left.
    Blocked,
    /// The card does not tell: no PIN may be sent, it could be the last try.
    Silent,
}

impl PinLook {
    /// Reads the status word.
    #[must_use]
    pub fn of(sw: StatusWord) -> Self {
        match (sw.0, sw.pin_status()) {
            (0x9000, _) => Self::Verified,
            (0x63C0, _) | (_, Some(PinStatus::Blocked)) => Self::Blocked,
            (0x63C1..=0x63CF, Some(PinStatus::TriesLeft(left))) => Self::Tries(left),
            _ => Self::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_read_where_the_standard_has_them_and_nowhere_else() {
        let look = |sw| PinLook::of(StatusWord(sw));
        assert_eq!(look(0x9000), PinLook::Verified);
        for left in 1..=15_u8 {
            assert_eq!(look(0x63C0 | u16::from(left)), PinLook::Tries(left));
        }
        for sw in [0x63C0, 0x6983] {
            assert_eq!(look(sw), PinLook::Blocked, "{sw:04X}");
        }
        for sw in [0x6300, 0x6303, 0x6982, 0x6700, 0x6A88, 0x6D00] {
            assert_eq!(look(sw), PinLook::Silent, "{sw:04X}");
        }
    }
}

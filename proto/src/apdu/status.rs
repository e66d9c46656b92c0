//! What a card says about a command.

use std::fmt;

/// SW1 and SW2.
///
/// Source: ISO/IEC 7816-4 §5.1.3; for EAP-TLS cards specs/eap-tls-card.md §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// `9000`.
    pub const SUCCESS: Self = Self(0x9000);

    /// The first byte.
    #[must_use]
    pub fn sw1(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    /// The second byte.
    #[must_use]
    pub fn sw2(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// Whether it is `9000`.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::SUCCESS
    }

    /// What it says about the PIN, if that is what it is about: `63xx`, `63Cx`, `9804`, `9840`,
    /// `6982`, `6983`.
    ///
    /// Source: specs/eap-tls-card.md §3, §12; ISO/IEC 7816-4 §7.5.1 for `63Cx`.
    #[must_use]
    pub fn pin_status(self) -> Option<PinStatus> {
        match self.0 {
            0x63C0..=0x63CF => Some(PinStatus::TriesLeft(self.sw2() & 0x0F)),
            0x6300..=0x63FF => Some(PinStatus::TriesLeft(self.sw2())),
            0x6982 | 0x9804 => Some(PinStatus::Required),
            0x6983 | 0x9840 => Some(PinStatus::Blocked),
            _ => None,
        }
    }

    /// In words, where the word has one meaning for all cards.
    fn meaning(self) -> Option<&'static str> {
        let text = match self.0 {
            0x9000 => "success",
            0x6700 => "wrong length",
            0x6982 | 0x9804 => "PIN required",
            0x6983 | 0x9840 => "PIN blocked",
            0x6985 => "conditions not satisfied",
            0x6986 => "command not allowed",
            0x6A80 => "wrong data",
            0x6A81 => "function not supported",
            0x6A82 => "file or application not found",
            0x6A88 => "referenced data not found",
            0x6B00 => "wrong P1 or P2",
            0x6D00 => "unknown instruction",
            0x6E00 => "unknown class",
            0x6F00 => "technical problem",
            0x7000 => "packet discarded",
            0x7001 => "authentication failure",
            0x6100..=0x61FF | 0x9100..=0x9FFF => "more data",
            0x6300..=0x63FF => "PIN required or wrong",
            0x6C00..=0x6CFF => "wrong Le",
            _ => return None,
        };
        Some(text)
    }
}

/// Four digits and, where known, the meaning.
impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)?;
        match self.meaning() {
            Some(meaning) => write!(f, " ({meaning})"),
            None => Ok(()),
        }
    }
}

/// What a status word says about the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinStatus {
    /// So many tries are left. On EAP-TLS cards exact only as an answer to VERIFY and CHANGE PIN
    /// (specs/eap-tls-card.md §5.2).
    TriesLeft(u8),
    /// It must be verified first, or was wrong.
    Required,
    /// No try is left.
    Blocked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_pin_answer_is_understood() {
        let cases = [
            (0x6302, Some(PinStatus::TriesLeft(2))),
            (0x6300, Some(PinStatus::TriesLeft(0))),
            (0x630B, Some(PinStatus::TriesLeft(11))),
            (0x63C3, Some(PinStatus::TriesLeft(3))),
            (0x6982, Some(PinStatus::Required)),
            (0x9804, Some(PinStatus::Required)),
            (0x6983, Some(PinStatus::Blocked)),
            (0x9840, Some(PinStatus::Blocked)),
            (0x9000, None),
            (0x6985, None),
            (0x9F00, None),
        ];
        for (sw, status) in cases {
            assert_eq!(StatusWord(sw).pin_status(), status, "{sw:04X}");
        }
    }

    #[test]
    fn display_gives_digits_and_meaning() {
        let shown = |sw| StatusWord(sw).to_string();
        assert_eq!(shown(0x6A82), "6A82 (file or application not found)");
        assert_eq!(shown(0x9F10), "9F10 (more data)");
        assert_eq!(shown(0x9804), "9804 (PIN required)");
        assert_eq!(shown(0x1234), "1234");
    }
}

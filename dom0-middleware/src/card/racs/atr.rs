//! What stands for the answer to reset, which RACS does not have.

use proto::apdu::Atr;
use proto::hex;
use proto::racs::StatusLine;

/// The answer to reset in what a server says of POWERON or RESET, as `ATR=3B8401…`; if it says none,
/// `3B 84 01 52 41 43 53 86`, of a card that speaks T=1 with the historical bytes `RACS`.
pub(super) fn of_status(status: &StatusLine) -> Atr {
    let mut words = status.text().split(|byte| *byte == b' ');
    let said = words.find_map(|word| {
        let digits = word.strip_prefix(b"ATR=")?;
        Atr::decode(&hex::decode_any_case(digits)?).ok()
    });
    said.unwrap_or_else(|| Atr::decode(&STAND_IN).expect("made by ISO/IEC 7816-3"))
}

/// TS, T0 (TD1 follows, four historical bytes), TD1 (T=1), `RACS`, TCK.
const STAND_IN: [u8; 8] = [0x3B, 0x84, 0x01, b'R', b'A', b'C', b'S', 0x86];

#[cfg(test)]
mod tests {
    use super::*;

    fn atr(text: &str) -> String {
        let line = format!("+008 001 {text}");
        of_status(&StatusLine::parse(line.as_bytes()).expect("a status line")).to_string()
    }

    #[test]
    fn an_answer_to_reset_that_is_said_is_taken() {
        assert_eq!(atr("SEID se-00 is on ATR=3b8701aa"), "3B 87 01 AA");
        let stand_in = "3B 84 01 52 41 43 53 86";
        for text in [
            "",
            "SEID 0 has been powered on",
            "ATR=",
            "ATR=9000",
            "ATR=3B8",
            "3B8701AA",
        ] {
            assert_eq!(atr(text), stand_in, "{text}");
        }
        let check = STAND_IN[1..].iter().fold(0, |sum, byte| sum ^ byte);
        assert_eq!(check, 0, "TCK");
    }
}

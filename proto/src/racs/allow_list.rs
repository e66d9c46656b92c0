//! Which APDUs a user may send.

use std::fmt;
use std::str::FromStr;

use crate::hex;

/// Bits that the first four bytes of an APDU, CLA INS P1 P2, must have.
///
/// As text `mask value`, both of eight hexadecimal digits: `FFFF0000 00A40000` is every SELECT.
///
/// Source: specs/racs.md §8, level 3; there such a row refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApduMask {
    mask: [u8; 4],
    value: [u8; 4],
}

impl ApduMask {
    /// The APDUs whose `mask` bits are those of `value`; `None` if `value` has bits outside of the
    /// mask, which no APDU would fit.
    #[must_use]
    pub fn new(mask: [u8; 4], value: [u8; 4]) -> Option<Self> {
        let outside = value
            .iter()
            .zip(mask)
            .any(|(value, mask)| value & !mask != 0);
        (!outside).then_some(Self { mask, value })
    }

    /// Whether an APDU that begins with these bytes is one of them.
    #[must_use]
    pub fn fits(&self, header: [u8; 4]) -> bool {
        let masked = u32::from_be_bytes(header) & u32::from_be_bytes(self.mask);
        masked == u32::from_be_bytes(self.value)
    }
}

impl fmt::Display for ApduMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mask, value] = [self.mask, self.value].map(u32::from_be_bytes);
        write!(f, "{mask:08X} {value:08X}")
    }
}

/// The APDUs that pass: those that one row fits. An empty list lets nothing pass.
///
/// As text one row on a line, `#` begins a comment:
///
/// ```text
/// FFFFFF00 00A40400    # SELECT by AID
/// FFFFFFFF 00C00000    # GET RESPONSE, for MORE
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList(Vec<ApduMask>);

impl AllowList {
    /// Whether an APDU that begins with these bytes passes.
    #[must_use]
    pub fn permits(&self, header: [u8; 4]) -> bool {
        self.0.iter().any(|row| row.fits(header))
    }

    /// Its rows.
    #[must_use]
    pub fn rows(&self) -> &[ApduMask] {
        &self.0
    }
}

/// One row on a line, as it is read; no comments.
impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl FromIterator<ApduMask> for AllowList {
    fn from_iter<I: IntoIterator<Item = ApduMask>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

impl FromStr for AllowList {
    type Err = AllowListError;

    fn from_str(text: &str) -> Result<Self, AllowListError> {
        let mut rows = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.split('#').next().unwrap_or_default();
            if let Some(row) = row(line, number)? {
                if rows.len() >= MAX_ROWS {
                    return Err(AllowListError::TooManyRows);
                }
                rows.push(row);
            }
        }
        Ok(Self(rows))
    }
}

fn row(line: &str, number: usize) -> Result<Option<ApduMask>, AllowListError> {
    let mut words = line.split_ascii_whitespace();
    let (mask, value) = match (words.next(), words.next(), words.next()) {
        (None, ..) => return Ok(None),
        (Some(mask), Some(value), None) => (mask, value),
        _ => return Err(AllowListError::Row { line: number }),
    };
    let bytes = |word: &str| {
        let bytes = hex::decode_any_case(word.as_bytes())?;
        <[u8; 4]>::try_from(bytes.as_slice()).ok()
    };
    let (Some(mask), Some(value)) = (bytes(mask), bytes(value)) else {
        return Err(AllowListError::Row { line: number });
    };
    let row = ApduMask::new(mask, value).ok_or(AllowListError::Outside { line: number })?;
    Ok(Some(row))
}

/// Why a text is no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowListError {
    /// Not two words of eight hexadecimal digits.
    #[error("line {line}: not \"MASK VALUE\" with eight hexadecimal digits each")]
    Row {
        /// Which one, the first being 1.
        line: usize,
    },
    /// A row that nothing fits.
    #[error("line {line}: the value has bits that the mask leaves out, so no APDU fits")]
    Outside {
        /// Which one, the first being 1.
        line: usize,
    },
    /// More rows than are looked through for an APDU.
    #[error("more than {MAX_ROWS} rows")]
    TooManyRows,
}

const MAX_ROWS: usize = 1_024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_apdu_passes_when_a_row_fits() {
        let text = "# what the tests of the factory use\n\
            FFFFFF00 00A40400   # SELECT\r\n\n\t ffffffff 00c00000\n";
        let list: AllowList = text.parse().expect("a list");
        assert!(list.permits([0x00, 0xA4, 0x04, 0x0C]));
        assert!(list.permits([0x00, 0xC0, 0x00, 0x00]));
        for other in [0x00A4_0000_u32, 0x01A4_0400, 0x00C0_0001, 0x80C0_0000, 0] {
            assert!(!list.permits(other.to_be_bytes()), "{other:08X}");
        }
        assert_eq!(list.rows()[0].to_string(), "FFFFFF00 00A40400");
    }

    #[test]
    fn an_empty_list_lets_nothing_pass() {
        for text in ["", "# nothing\n\n"] {
            let list: AllowList = text.parse().expect("empty");
            assert_eq!(list, AllowList::default());
            assert!(!list.permits([0; 4]) && !list.permits([0x00, 0xA4, 0x04, 0x00]));
        }
        // One that is meant: everything.
        let all: AllowList = "00000000 00000000".parse().expect("a row");
        assert!(all.permits([0xFF; 4]));
    }

    #[test]
    fn a_mistake_is_named_by_its_line() {
        let error = |text: &str| text.parse::<AllowList>().expect_err(text);
        for bad in [
            "FFFF0000",
            "FFFF0000 00A40000 1",
            "FFFF 00A4",
            "FFFF000G 00A40000",
            "0xFFFF00 00A40000",
            "é 00A40000",
        ] {
            let text = format!("# a comment\n{bad}");
            assert_eq!(error(&text), AllowListError::Row { line: 2 }, "{bad}");
        }
        let outside = error("FFFF0000 00A40400");
        assert_eq!(outside, AllowListError::Outside { line: 1 });
        let many = "00000000 00000000\n".repeat(MAX_ROWS + 1);
        assert_eq!(error(&many), AllowListError::TooManyRows);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn rows_are_their_text(rows in prop::collection::vec(any::<([u8; 4], [u8; 4])>(), 0..8)) {
            let rows = rows.into_iter().filter_map(|(mask, value)| {
                let value = u32::from_be_bytes(value) & u32::from_be_bytes(mask);
                ApduMask::new(mask, value.to_be_bytes())
            });
            let list: AllowList = rows.collect();
            let text: String = list.rows().iter().map(|row| format!("{row}\n")).collect();
            prop_assert_eq!(text.parse(), Ok(list));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = text.parse::<AllowList>();
        }
    }
}

//! Bytes for people.

/// Lower-case hexadecimal digits without separators.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The number of a token from its 32 hexadecimal digits, of either case.
pub(crate) fn parse_cti(text: &str) -> Option<[u8; 16]> {
    let mut cti = [0; 16];
    if text.len() != 2 * cti.len() {
        return None;
    }
    for (byte, digits) in cti.iter_mut().zip(text.as_bytes().chunks(2)) {
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(cti)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_token_has_32_digits() {
        assert_eq!(parse_cti(&"aB".repeat(16)), Some([0xAB; 16]));
        for bad in [
            "",
            "ab",
            &"ab".repeat(17),
            &"+1".repeat(16),
            &"é".repeat(16),
        ] {
            assert_eq!(parse_cti(bad), None, "{bad}");
        }
    }
}

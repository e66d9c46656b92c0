//! Lower-case hexadecimal, the form in which hashes and ids are written here.

/// `bytes` as lower-case hexadecimal digits, two for each byte.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    digits.map(digit).collect()
}

/// The `N` bytes that `text` is the hexadecimal form of; nothing if it is not exactly that, upper
/// case included.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_has_one_form() {
        assert_eq!(encode(&[0x00, 0xAF, 0x5C]), "00af5c");
        assert_eq!(decode("00af5c"), Some([0x00, 0xAF, 0x5C]));
        for other in ["00AF5C", "00af5", "00af5c00", "00af5g", "", "00af5é"] {
            assert_eq!(decode::<3>(other), None, "{other}");
        }
    }
}

//! Hexadecimal: lower case, the form in which hashes and ids are written here; upper case for APDUs.

use zeroize::Zeroizing;

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

/// `bytes` as upper-case hexadecimal digits, the form of APDUs; wiped on drop.
#[must_use]
pub fn encode_upper(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    let mut digits = Zeroizing::new(Vec::with_capacity(bytes.len().saturating_mul(2)));
    digits.extend(
        bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0F)]),
    );
    digits
}

/// The bytes that hexadecimal digits of either case stand for, wiped on drop; nothing for other
/// characters and for half a byte. No digits are no bytes.
#[must_use]
pub fn decode_any_case(digits: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        let high = nibble(high.to_ascii_lowercase())?;
        bytes.push(high << 4 | nibble(low.to_ascii_lowercase())?);
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

    #[test]
    fn apdus_are_written_in_upper_case_and_read_in_either() {
        let bytes = [0x00, 0xA4, 0x5C, 0xFF];
        assert_eq!(encode_upper(&bytes).as_slice(), b"00A45CFF");
        for digits in [&b"00A45CFF"[..], b"00a45cff", b"00a45CfF"] {
            let decoded = decode_any_case(digits).expect("digits");
            assert_eq!(decoded.as_slice(), bytes);
        }
        assert!(decode_any_case(b"").is_some_and(|bytes| bytes.is_empty()));
        for other in [&b"0"[..], b"0g", b"00A", b"+1", b" 1", b"\xC3\xA9"] {
            assert!(decode_any_case(other).is_none());
        }
    }
}

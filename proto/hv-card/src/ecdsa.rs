//! ECDSA signatures on P-256: cards give DER, tokens have r and s.

use proto::piv::TlvReader;

/// r and s of 32 bytes each (RFC 9053 §2.1), out of an Ecdsa-Sig-Value, a SEQUENCE of two INTEGERs
/// (RFC 3279 §2.2.3). `None` for anything else.
pub(crate) fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let mut outside = TlvReader::new(der);
    let numbers = outside.expect(SEQUENCE, WHAT).ok()?;
    let mut inside = TlvReader::new(numbers);
    let r = coordinate(inside.expect(INTEGER, WHAT).ok()?)?;
    let s = coordinate(inside.expect(INTEGER, WHAT).ok()?)?;
    let nothing_more = inside.take_next().ok()?.is_none() && outside.take_next().ok()?.is_none();
    nothing_more.then(|| [r, s].concat())
}

/// A number that is not negative, in 32 bytes.
fn coordinate(integer: &[u8]) -> Option<[u8; LEN]> {
    let significant = match integer {
        [] => return None,
        [first, ..] if first & 0x80 != 0 => return None,
        [0, rest @ ..] => rest,
        all => all,
    };
    let mut fixed = [0; LEN];
    let before = LEN.checked_sub(significant.len())?;
    fixed.get_mut(before..)?.copy_from_slice(significant);
    Some(fixed)
}

/// Bytes of a coordinate on P-256.
const LEN: usize = 32;
const SEQUENCE: u32 = 0x30;
const INTEGER: u32 = 0x02;
const WHAT: &str = "ECDSA signature";

#[cfg(test)]
mod tests {
    use p256::ecdsa::Signature;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_of_any_length_become_32_bytes() {
        let short = fixed(&[0x30, 6, 2, 1, 7, 2, 1, 9]).expect("r and s");
        assert_eq!((short[31], short[63]), (7, 9));
        assert!(
            short[..31]
                .iter()
                .chain(&short[32..63])
                .all(|byte| *byte == 0)
        );
        let mut long = vec![0x30, 70, 2, 33, 0];
        long.extend([0xFF; 32]);
        long.extend([2, 33, 0]);
        long.extend([0xEE; 32]);
        let read = fixed(&long).expect("r and s");
        assert_eq!(read[..32], [0xFF; 32]);
        assert_eq!(read[32..], [0xEE; 32]);
    }

    #[test]
    fn other_bytes_are_no_signature() {
        for bad in [
            &[][..],
            &[0x30, 0],
            &[0x31, 6, 2, 1, 7, 2, 1, 9],
            &[0x30, 3, 2, 1, 7],
            &[0x30, 6, 2, 1, 0x80, 2, 1, 9],
            &[0x30, 5, 2, 0, 2, 1, 9],
            &[0x30, 6, 2, 1, 7, 2, 1, 9, 0],
            &[0x30, 9, 2, 1, 7, 2, 1, 9, 2, 1, 9],
        ] {
            assert_eq!(fixed(bad), None, "{bad:02X?}");
        }
        let mut too_long = vec![0x30, 38, 2, 33, 1];
        too_long.extend([0; 32]);
        too_long.extend([2, 1, 9]);
        assert_eq!(fixed(&too_long), None);
    }

    proptest! {
        #[test]
        fn what_a_card_writes_is_read(r in 1..u64::MAX, s in 1..u64::MAX, high: bool) {
            let number = |low: u64| {
                let mut bytes = [0; LEN];
                bytes[24..].copy_from_slice(&low.to_be_bytes());
                bytes[0] = if high { 0x90 } else { 0 };
                bytes
            };
            let written = Signature::from_scalars(number(r), number(s)).expect("below the order");
            let der = written.to_der();
            prop_assert_eq!(fixed(der.as_bytes()), Some(written.to_bytes().to_vec()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            prop_assert!(fixed(&bytes).is_none_or(|fixed| fixed.len() == 2 * LEN));
        }
    }
}

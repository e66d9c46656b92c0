//! BER-TLV: a tag, a length, a value.

use crate::codec::Reader;
use crate::error::DecodeError;

/// One data object: its tag as it is written, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The bytes of the tag, the first of them highest: `5FC105` is `0x5F_C105`.
    pub tag: u32,
    /// What it holds.
    pub value: &'a [u8],
}

/// Reads data objects that stand one behind the other. It never goes into one.
///
/// Tags have at most three bytes and lengths at most three behind the first; lengths need not be
/// the shortest possible, which is what cards write.
///
/// Source: ISO/IEC 7816-4 §5.2.2.
pub struct TlvReader<'a> {
    reader: Reader<'a>,
}

impl<'a> TlvReader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(bytes),
        }
    }

    /// The next data object; `None` at the end. After an error nothing more can be read.
    ///
    /// # Errors
    /// [`DecodeError`] if it is not all there, for a longer tag and for a length without end.
    pub fn take_next(&mut self) -> Result<Option<Tlv<'a>>, DecodeError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let tag = self.tag()?;
        let length = self.length()?;
        let value = self.reader.take(length, "TLV value")?;
        Ok(Some(Tlv { tag, value }))
    }

    /// The value of the next data object, which must have this tag.
    ///
    /// # Errors
    /// [`DecodeError`] as above, for another tag, and at the end.
    pub fn expect(&mut self, tag: u32, what: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.take_next()? {
            Some(next) if next.tag == tag => Ok(next.value),
            Some(other) => Err(DecodeError::Unexpected {
                what,
                got: other.tag.into(),
            }),
            None => Err(DecodeError::Truncated {
                what,
                need: 2,
                got: 0,
            }),
        }
    }

    /// The value of the first data object with this tag; `None` if there is none. Reads to the end.
    ///
    /// # Errors
    /// [`DecodeError`] as above.
    pub fn find(mut self, tag: u32) -> Result<Option<&'a [u8]>, DecodeError> {
        let mut found = None;
        while let Some(next) = self.take_next()? {
            if next.tag == tag && found.is_none() {
                found = Some(next.value);
            }
        }
        Ok(found)
    }

    /// How many bytes are behind what was read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.reader.remaining()
    }

    fn tag(&mut self) -> Result<u32, DecodeError> {
        let what = "TLV tag";
        let first = self.reader.u8(what)?;
        let mut tag = u32::from(first);
        if first & LONG_TAG != LONG_TAG {
            return Ok(tag);
        }
        for _ in 1..MAX_TAG {
            let next = self.reader.u8(what)?;
            tag = tag << 8 | u32::from(next);
            if next & MORE_OF_TAG == 0 {
                return Ok(tag);
            }
        }
        let got = tag.into();
        Err(DecodeError::Unexpected { what, got })
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        let what = "TLV length";
        let length = match self.reader.u8(what)? {
            short @ ..=0x7F => u32::from(short),
            0x81 => self.reader.u8(what)?.into(),
            0x82 => self.reader.u16(what)?.into(),
            0x83 => self.reader.u24(what)?,
            other => {
                let got = other.into();
                return Err(DecodeError::Unexpected { what, got });
            }
        };
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// Writes data objects one behind the other, with the shortest lengths.
#[derive(Debug, Default)]
pub struct TlvWriter {
    bytes: Vec<u8>,
}

impl TlvWriter {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. The tag has at most three bytes, as [`Tlv::tag`].
    ///
    /// # Panics
    /// If `value` has 16 MiB or more.
    #[must_use]
    pub fn with(mut self, tag: u32, value: &[u8]) -> Self {
        let written = tag.to_be_bytes();
        let zeroes = written.iter().take_while(|byte| **byte == 0).count();
        self.bytes
            .extend(written.iter().skip(zeroes.min(written.len() - 1)));
        let length = u32::try_from(value.len()).expect("less than 16 MiB");
        let [top, high, middle, low] = length.to_be_bytes();
        assert_eq!(top, 0, "less than 16 MiB");
        match length {
            0..=0x7F => self.bytes.push(low),
            0x80..=0xFF => self.bytes.extend([0x81, low]),
            0x100..=0xFFFF => self.bytes.extend([0x82, middle, low]),
            _ => self.bytes.extend([0x83, high, middle, low]),
        }
        self.bytes.extend_from_slice(value);
        self
    }

    /// Adds an INTEGER of DER that is not negative: in as few bytes as it has room in, the first of
    /// which does not look like a sign (ITU-T X.690 §8.3).
    ///
    /// # Panics
    /// As [`Self::with`].
    #[must_use]
    pub fn with_number(self, big_endian: &[u8]) -> Self {
        let zeroes = big_endian.iter().take_while(|byte| **byte == 0).count();
        let significant = big_endian.get(zeroes..).unwrap_or_default();
        match significant.first() {
            Some(first) if first & 0x80 == 0 => self.with(INTEGER, significant),
            _ => self.with(INTEGER, &[&[0], significant].concat()),
        }
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Of the first byte of a tag: more bytes follow.
const LONG_TAG: u8 = 0x1F;
/// Of each following byte.
const MORE_OF_TAG: u8 = 0x80;
const MAX_TAG: usize = 3;
/// The tag of a number in DER.
const INTEGER: u32 = 0x02;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(bytes: &[u8]) -> Result<Option<Tlv<'_>>, DecodeError> {
        TlvReader::new(bytes).take_next()
    }

    #[test]
    fn numbers_are_as_short_as_der_wants_them_and_never_negative() {
        let number = |bytes: &[u8]| TlvWriter::new().with_number(bytes).into_bytes();
        assert_eq!(number(&[0; 32]), [2, 1, 0]);
        assert_eq!(number(&[0, 0, 0x7F]), [2, 1, 0x7F]);
        assert_eq!(number(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(number(&[0xFF; 32]).len(), 2 + 33);
    }

    #[test]
    fn tags_and_lengths_have_their_bytes() {
        let written = TlvWriter::new()
            .with(0x5C, &[0x5F, 0xC1, 0x05])
            .with(0x5F2F, &[0x40, 0x10])
            .with(0x5F_C105, &[])
            .into_bytes();
        let bytes = [
            0x5C, 3, 0x5F, 0xC1, 0x05, 0x5F, 0x2F, 2, 0x40, 0x10, 0x5F, 0xC1, 0x05, 0,
        ];
        assert_eq!(written, bytes);
        let mut reader = TlvReader::new(&bytes);
        for (tag, len) in [(0x5C, 3), (0x5F2F, 2), (0x5F_C105, 0)] {
            let next = reader.take_next().expect("well formed").expect("one more");
            assert_eq!((next.tag, next.value.len()), (tag, len));
        }
        assert_eq!(reader.take_next(), Ok(None));
    }

    #[test]
    fn a_length_may_be_longer_than_it_has_to_be() {
        let value = &[9][..];
        for bytes in [&[0x53, 0x81, 1, 9][..], &[0x53, 0x82, 0, 1, 9]] {
            assert_eq!(one(bytes), Ok(Some(Tlv { tag: 0x53, value })));
        }
    }

    #[test]
    fn what_is_no_data_object_is_refused() {
        for bad in [
            &[0x53][..],
            &[0x53, 1],
            &[0x53, 0x80, 0, 0],
            &[0x53, 0x84, 0, 0, 0, 1, 9],
            &[0x53, 0x83, 0xFF, 0xFF, 0xFF],
            &[0x5F, 0x81, 0x82, 0x83, 0],
            &[0x5F],
        ] {
            assert!(one(bad).is_err(), "{bad:02X?}");
        }
    }

    #[test]
    fn what_is_looked_for_is_found_once() {
        let bytes = [0x70, 1, 1, 0x71, 1, 2, 0x70, 1, 3];
        let find = |tag| TlvReader::new(&bytes).find(tag);
        assert_eq!(find(0x70), Ok(Some(&[1][..])));
        assert_eq!(find(0x71), Ok(Some(&[2][..])));
        assert_eq!(find(0x72), Ok(None));
        assert!(TlvReader::new(&bytes).expect(0x71, "CertInfo").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_written_is_read(
            tag in prop::sample::select(vec![0x53, 0x7C, 0x7E, 0x5F2F, 0x7F49, 0x5F_C120]),
            byte: u8,
            len in prop_oneof![0..300_usize, 65_000..70_000_usize],
            cut in any::<prop::sample::Index>(),
        ) {
            let value = vec![byte; len];
            let bytes = TlvWriter::new().with(tag, &value).into_bytes();
            let read = Tlv { tag, value: &value };
            prop_assert_eq!(one(&bytes), Ok(Some(read)));
            let cut = cut.index(bytes.len());
            if cut > 0 {
                prop_assert!(one(&bytes[..cut]).is_err());
            }
        }
    }
}

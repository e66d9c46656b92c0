//! Reading bytes that someone else wrote.

use crate::error::DecodeError;

/// A cursor over bytes. It never panics, allocates nothing, and a failed read takes nothing.
///
/// Integers are big-endian. `what` names the field being read, for the error.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if none is left.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.array(what).map(u8::from_be_bytes)
    }

    /// Reads two bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// Reads three bytes, the length of a TLS handshake message for example.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn u24(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let [high, middle, low] = self.array(what)?;
        Ok(u32::from_be_bytes([0, high, middle, low]))
    }

    /// Reads four bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// Reads eight bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// Takes the next `n` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(n)
            .ok_or_else(|| self.truncated(n, what))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes the next `N` bytes by value.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.truncated(N, what))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Takes what a one-byte length announces.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the length or what it announces is not all there.
    pub fn vec8(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        self.prefixed(what, |reader| Ok(reader.u8(what)?.into()))
    }

    /// Takes what a two-byte length announces.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the length or what it announces is not all there.
    pub fn vec16(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        self.prefixed(what, |reader| Ok(reader.u16(what)?.into()))
    }

    /// Takes what a three-byte length announces.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the length or what it announces is not all there.
    pub fn vec24(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        self.prefixed(what, |reader| reader.u24(what))
    }

    /// Takes all that is left.
    #[must_use]
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] if something is left.
    pub fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            got => Err(DecodeError::TrailingBytes { what, got }),
        }
    }

    fn prefixed(
        &mut self,
        what: &'static str,
        length: impl FnOnce(&mut Self) -> Result<u32, DecodeError>,
    ) -> Result<&'a [u8], DecodeError> {
        let mut ahead = self.clone();
        let length = length(&mut ahead)?;
        let taken = ahead.take(usize::try_from(length).unwrap_or(usize::MAX), what)?;
        *self = ahead;
        Ok(taken)
    }

    fn truncated(&self, need: usize, what: &'static str) -> DecodeError {
        let got = self.rest.len();
        DecodeError::Truncated { what, need, got }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_big_endian() {
        let bytes: Vec<u8> = (1..=18).collect();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8("a"), Ok(0x01));
        assert_eq!(reader.u16("b"), Ok(0x0203));
        assert_eq!(reader.u24("c"), Ok(0x04_0506));
        assert_eq!(reader.u32("d"), Ok(0x0708_090A));
        assert_eq!(reader.u64("e"), Ok(0x0B0C_0D0E_0F10_1112));
        assert_eq!(reader.finish("end"), Ok(()));
    }

    #[test]
    fn a_failed_read_takes_nothing() {
        let mut reader = Reader::new(&[0, 2, 9]);
        let truncated = |need, got| DecodeError::Truncated {
            what: "x",
            need,
            got,
        };
        assert_eq!(reader.u32("x"), Err(truncated(4, 3)));
        assert_eq!(reader.vec16("x"), Err(truncated(2, 1)));
        assert_eq!(reader.remaining(), 3);
        assert_eq!(reader.rest(), [0, 2, 9]);
        assert!(reader.is_empty());
    }

    #[test]
    fn finish_refuses_trailing_bytes() {
        let mut reader = Reader::new(&[1, 7, 7]);
        assert_eq!(reader.vec8("x"), Ok(&[7][..]));
        let (what, got) = ("message", 1);
        assert_eq!(
            reader.finish(what),
            Err(DecodeError::TrailingBytes { what, got })
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_prefixed_vector_is_read_whole_or_not_at_all(
            content in prop::collection::vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>(),
        ) {
            let length = u32::try_from(content.len()).expect("short").to_be_bytes();
            for width in 1..=3 {
                if width == 1 && content.len() > 255 {
                    continue;
                }
                let read = |bytes| match width {
                    1 => Reader::new(bytes).vec8("x").map(<[u8]>::to_vec),
                    2 => Reader::new(bytes).vec16("x").map(<[u8]>::to_vec),
                    _ => Reader::new(bytes).vec24("x").map(<[u8]>::to_vec),
                };
                let bytes = [&length[4 - width..], &content].concat();
                prop_assert_eq!(read(&bytes), Ok(content.clone()));
                let prefix = &bytes[..cut.index(bytes.len())];
                prop_assert!(read(prefix).is_err());
            }
        }
    }
}

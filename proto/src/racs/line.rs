//! Bytes to lines.

use zeroize::Zeroizing;

/// The longest line of a request, in bytes without its LF: what one TLS record holds.
pub const MAX_LINE: usize = 16_384;

/// Cuts a stream of bytes into lines, wherever it was cut before.
///
/// A line ends with LF, before which a CR is dropped. What it holds besides is not looked at here.
/// Its buffer never holds more than the longest line and what was pushed since
/// [`LineReader::next_line`] said that there is none.
///
/// Source: specs/racs.md §3, §15.
pub struct LineReader {
    buffer: Zeroizing<Vec<u8>>,
    /// Where the next line begins.
    start: usize,
    /// Up to here there is no LF in it.
    scanned: usize,
    max_line: usize,
}

impl LineReader {
    /// A reader of lines of `max_line` bytes at most, CR included.
    #[must_use]
    pub fn new(max_line: usize) -> Self {
        Self {
            buffer: Zeroizing::default(),
            start: 0,
            scanned: 0,
            max_line,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned = self.scanned.saturating_sub(self.start);
        self.start = 0;
        extend_wiped(&mut self.buffer, bytes);
    }

    /// Whether no byte is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// The next line, without its end; `None` if it is not complete.
    ///
    /// # Errors
    /// [`LineTooLong`], now and ever after: nothing behind a line without end can be understood.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        let max = self.max_line;
        let unread = self.buffer.get(self.scanned..).unwrap_or_default();
        let end = unread.iter().position(|&byte| byte == b'\n');
        let end = end.map(|at| self.scanned.saturating_add(at));
        let so_far = end.unwrap_or(self.buffer.len());
        if so_far.saturating_sub(self.start) > max {
            return Err(LineTooLong { max });
        }
        let Some(end) = end else {
            self.scanned = so_far;
            return Ok(None);
        };
        let begin = std::mem::replace(&mut self.start, end.saturating_add(1));
        self.scanned = self.start;
        let line = self.buffer.get(begin..end).unwrap_or_default();
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// What is behind the lines that were read.
    pub(super) fn rest(&mut self) -> Zeroizing<Vec<u8>> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        Zeroizing::new(rest.to_vec())
    }
}

/// Appends to a buffer of secrets: one that must grow is copied and the old one wiped, which a
/// `Vec` alone does not do.
pub(super) fn extend_wiped(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = buffer.len().saturating_add(bytes.len());
    if needed > buffer.capacity() {
        let room = needed.max(buffer.capacity().saturating_mul(2));
        let mut grown = Zeroizing::new(Vec::with_capacity(room));
        grown.extend_from_slice(buffer);
        *buffer = grown;
    }
    buffer.extend_from_slice(bytes);
}

/// A line without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line of more than {max} bytes")]
pub struct LineTooLong {
    /// Bytes that are accepted.
    pub max: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(reader: &mut LineReader) -> (Vec<Vec<u8>>, bool) {
        let mut lines = Vec::new();
        loop {
            match reader.next_line() {
                Ok(Some(line)) => lines.push(line.to_vec()),
                Ok(None) => return (lines, true),
                Err(_) => return (lines, false),
            }
        }
    }

    #[test]
    fn lines_end_with_lf_and_lose_one_cr() {
        let mut reader = LineReader::new(MAX_LINE);
        reader.push(b"BEGIN\r\n a  b \n\n\r\r\nEN");
        let expected = [&b"BEGIN"[..], b" a  b ", b"", b"\r"].map(<[u8]>::to_vec);
        assert_eq!(lines(&mut reader), (expected.to_vec(), true));
        reader.push(b"D\r");
        assert_eq!(reader.next_line(), Ok(None));
        reader.push(b"\n");
        assert_eq!(reader.next_line(), Ok(Some(&b"END"[..])));
    }

    #[test]
    fn a_line_without_end_is_refused_for_ever() {
        let mut reader = LineReader::new(4);
        reader.push(b"abcd\nabcd");
        assert_eq!(reader.next_line(), Ok(Some(&b"abcd"[..])));
        assert_eq!(reader.next_line(), Ok(None));
        reader.push(b"e");
        for _ in 0..3 {
            assert_eq!(reader.next_line(), Err(LineTooLong { max: 4 }));
            reader.push(b"\n");
        }
    }

    #[test]
    fn many_lines_leave_no_growing_buffer() {
        let mut reader = LineReader::new(MAX_LINE);
        for _ in 0..10_000 {
            reader.push(b"APDU 0 0010000001AA\r\nAP");
            while reader.next_line() == Ok(Some(&b"APDU 0 0010000001AA"[..])) {}
            reader.push(b"\n");
            assert_eq!(reader.next_line(), Ok(Some(&b"AP"[..])));
        }
        assert!(reader.buffer.capacity() < 256);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn cuts_make_no_difference(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..120),
            cuts in prop::collection::vec(1..9usize, 1..40),
        ) {
            let mut whole = LineReader::new(12);
            whole.push(&bytes);
            let expected = lines(&mut whole);
            let mut reader = LineReader::new(12);
            let (mut got, mut rest, mut cuts) = ((Vec::new(), true), &bytes[..], cuts.iter().cycle());
            while !rest.is_empty() && got.1 {
                let cut = rest.len().min(*cuts.next().expect("endless"));
                let (piece, after) = rest.split_at(cut);
                reader.push(piece);
                rest = after;
                let (more, goes_on) = lines(&mut reader);
                got.0.extend(more);
                got.1 = goes_on;
            }
            prop_assert_eq!(got, expected);
        }
    }
}

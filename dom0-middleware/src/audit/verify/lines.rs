//! The lines of a file, bounded.

use std::io::{self, BufRead, Read};

/// Longest line, in bytes without its line feed. Ours stay far below.
pub(in crate::audit) const MAX_LINE: usize = 64 << 10;

/// One line of a file.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::audit) enum Line<'a> {
    /// A whole one, without its line feed.
    Whole(&'a [u8]),
    /// The bytes after the last line feed.
    Unfinished(&'a [u8]),
    /// More bytes than a line has.
    TooLong,
}

/// Reads lines.
pub(in crate::audit) struct Lines<R> {
    input: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(in crate::audit) fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
        }
    }

    /// The next line; `None` at the end. After [`Line::TooLong`] nothing can be told apart.
    pub(in crate::audit) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let most = MAX_LINE as u64 + 1;
        (&mut self.input)
            .take(most)
            .read_until(b'\n', &mut self.line)?;
        Ok(match self.line.as_slice() {
            [] => None,
            [line @ .., b'\n'] => Some(Line::Whole(line)),
            line if line.len() > MAX_LINE => Some(Line::TooLong),
            line => Some(Line::Unfinished(line)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_unfinished_or_too_long() {
        let mut lines = Lines::new(&b"one\n\ntwo"[..]);
        assert_eq!(lines.next().expect("memory"), Some(Line::Whole(b"one")));
        assert_eq!(lines.next().expect("memory"), Some(Line::Whole(b"")));
        assert_eq!(
            lines.next().expect("memory"),
            Some(Line::Unfinished(b"two"))
        );
        assert_eq!(lines.next().expect("memory"), None);

        let longest = [vec![b'x'; MAX_LINE], b"\n".to_vec()].concat();
        let mut lines = Lines::new(longest.as_slice());
        assert!(matches!(
            lines.next().expect("memory"),
            Some(Line::Whole(_))
        ));
        let longer = [b"x", longest.as_slice()].concat();
        let mut lines = Lines::new(longer.as_slice());
        assert_eq!(lines.next().expect("memory"), Some(Line::TooLong));
    }
}

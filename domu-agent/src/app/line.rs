//! One line off a socket.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest line, in bytes, without its newline.
pub(crate) const MAX_LINE: usize = 65_536;

/// Reads lines and keeps what came after the last one.
#[derive(Default)]
pub(crate) struct LineReader {
    buffer: Vec<u8>,
    searched: usize,
}

/// What a connection gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// One line without its newline.
    Whole(Vec<u8>),
    /// More than [`MAX_LINE`] bytes without a newline.
    TooLong,
    /// The end; an unfinished line is dropped.
    End,
}

impl LineReader {
    /// Reads up to the next newline. Can be called again after it was cancelled.
    pub(crate) async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Line> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(line);
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(Line::End);
            }
        }
    }

    /// What was read beyond the last line.
    pub(crate) fn into_rest(self) -> Vec<u8> {
        self.buffer
    }

    fn take_line(&mut self) -> Option<Line> {
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let newline = unsearched.iter().position(|byte| *byte == b'\n');
        match newline.map(|at| self.searched + at) {
            Some(at) if at <= MAX_LINE => {
                let rest = self.buffer.split_off(at + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                self.searched = 0;
                Some(Line::Whole(line))
            }
            None if self.buffer.len() <= MAX_LINE => {
                self.searched = self.buffer.len();
                None
            }
            _ => Some(Line::TooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(mut input: &[u8]) -> (Vec<Line>, Vec<u8>) {
        let mut reader = LineReader::default();
        let mut lines = Vec::new();
        loop {
            let line = reader.next(&mut input).await.expect("memory");
            let ended = !matches!(line, Line::Whole(_));
            lines.push(line);
            if ended {
                return (lines, reader.into_rest());
            }
        }
    }

    #[tokio::test]
    async fn lines_come_one_by_one_and_the_rest_is_kept() {
        let (lines, rest) = lines(b"a\n\nbc\nd").await;
        let whole = |line: &[u8]| Line::Whole(line.to_vec());
        assert_eq!(lines, [whole(b"a"), whole(b""), whole(b"bc"), Line::End]);
        assert_eq!(rest, b"d");
    }

    #[tokio::test]
    async fn the_longest_line_passes_and_a_longer_one_does_not() {
        let mut longest = vec![b'x'; MAX_LINE];
        longest.push(b'\n');
        let (read, _) = lines(&longest).await;
        assert!(matches!(read.first(), Some(Line::Whole(line)) if line.len() == MAX_LINE));

        longest.insert(0, b'x');
        assert_eq!(lines(&longest).await.0, [Line::TooLong]);
        longest.pop();
        assert_eq!(lines(&longest).await.0, [Line::TooLong]);
    }
}

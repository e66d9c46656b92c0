//! Where an existing audit file ends.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use serde::Deserialize;

use super::chain::Chain;
use super::verify::MAX_LINE;

/// Enough for a torn line and the whole one before it, with their line feeds, in bytes.
const READ: u64 = 2 * (MAX_LINE as u64 + 1);

/// The end of an audit file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// What the next line must say.
    pub(super) chain: Chain,
    /// Length of all whole lines, in bytes.
    pub(super) whole: u64,
    /// Bytes after the last line feed: a line that was not finished.
    pub(super) torn: u64,
}

#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

/// Reads the last line of `file`; `None` when it is no line of an audit.
pub(super) fn read(file: &mut File) -> io::Result<Option<Tail>> {
    let length = file.metadata()?.len();
    // A torn line and the whole one before it.
    let start = length.saturating_sub(READ);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes)?;
    Ok(parse(start, &bytes))
}

/// The end of a file whose part from `start` on is `bytes`.
fn parse(start: u64, bytes: &[u8]) -> Option<Tail> {
    let is_feed = |byte: &u8| *byte == b'\n';
    let Some(last_feed) = bytes.iter().rposition(is_feed) else {
        // Not one whole line: a start that was cut short, or no audit at all.
        return (start == 0 && looks_torn(bytes)).then(|| Tail {
            chain: Chain::default(),
            whole: 0,
            torn: bytes.len() as u64,
        });
    };
    let (lines, torn) = bytes.split_at(last_feed + 1);
    let lines = &lines[..last_feed];
    let line = match lines.iter().rposition(is_feed) {
        Some(feed) => &lines[feed + 1..],
        None if start == 0 => lines,
        None => return None,
    };
    let Numbered { seq } = serde_json::from_slice(line).ok()?;
    Some(Tail {
        chain: Chain::after(seq, line),
        whole: start + last_feed as u64 + 1,
        torn: torn.len() as u64,
    })
}

/// Whether a file without a line feed can be the start of an audit.
fn looks_torn(bytes: &[u8]) -> bool {
    let begin = b"{\"seq\":0,";
    let n = bytes.len().min(begin.len());
    bytes.get(..n) == begin.get(..n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_starts_a_chain() {
        let tail = parse(0, b"").expect("nothing is a good start");
        assert_eq!(tail.chain, Chain::default());
        assert_eq!((tail.whole, tail.torn), (0, 0));
    }

    #[test]
    fn the_last_whole_line_counts_and_what_follows_is_torn() {
        let tail = parse(0, b"{\"seq\":0}\n{\"seq\":1}\n{\"se").expect("an audit");
        assert_eq!(tail.chain, Chain::after(1, b"{\"seq\":1}"));
        assert_eq!((tail.whole, tail.torn), (20, 4));
    }

    #[test]
    fn what_is_read_from_the_middle_counts_from_the_start_of_the_file() {
        let tail = parse(1_000, b"eq\":6}\n{\"seq\":7}\n").expect("an audit");
        assert_eq!(tail.chain.seq(), 8);
        assert_eq!((tail.whole, tail.torn), (1_017, 0));
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        for bytes in [
            &b"PIN 1234"[..],
            b"hello\n",
            b"{}\n",
            b"\n",
            b"{\"seq\":0}\nx\n",
        ] {
            assert_eq!(parse(0, bytes), None, "{bytes:?}");
        }
        assert_eq!(parse(1_000, b"no line feed"), None);
        assert_eq!(parse(1_000, b"only one\n"), None);
    }
}

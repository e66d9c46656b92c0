//! Looking for a private key in the memory of a running process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// What was found in the memory of a process.
pub(crate) struct Search {
    /// Bytes that were read.
    pub(crate) searched: u64,
    /// Whether one of the needles was among them.
    pub(crate) found: bool,
}

/// Reads all private writable memory of process `pid` and looks for any of `needles`.
///
/// # Errors
/// Whatever the system says; mostly that this process may not look into that one.
pub(crate) fn search(pid: u32, needles: &[Vec<u8>]) -> io::Result<Search> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let overlap = needles.iter().map(Vec::len).max().unwrap_or(1) - 1;
    let mut outcome = Search {
        searched: 0,
        found: false,
    };
    let mut block = vec![0; BLOCK + overlap];
    for (start, end) in maps.lines().filter_map(writable_range) {
        let mut at = start;
        while at < end {
            let len = usize::try_from(end - at).map_or(block.len(), |left| left.min(block.len()));
            // A page may have gone since; what can be read counts.
            let Ok(read) = memory.read_at(&mut block[..len], at) else {
                break;
            };
            let bytes = &block[..read];
            outcome.found |= needles.iter().any(|needle| contains(bytes, needle));
            let step = read.min(BLOCK);
            if step == 0 {
                break;
            }
            outcome.searched += step as u64;
            at += step as u64;
        }
    }
    Ok(outcome)
}

/// `start-end rw-p ...` of a line of `/proc/PID/maps`.
fn writable_range(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let parse = |text| u64::from_str_radix(text, 16).ok();
    fields
        .next()?
        .starts_with("rw")
        .then_some((parse(start)?, parse(end)?))
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(&first) = needle.first() else {
        return false;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        let candidate = &rest[at..];
        if candidate.starts_with(needle) {
            return true;
        }
        rest = &candidate[1..];
    }
    false
}

/// Bytes read at a time.
const BLOCK: usize = 1 << 20;

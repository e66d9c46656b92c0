//! The numbers that were taken down beside the recordings.

use super::trace::{bytes, read};

/// The key block that `vectors.txt` has for a section: what the card answered.
pub(crate) fn recorded_key_block(section: &str) -> Vec<u8> {
    let vectors = read("vectors.txt");
    let heading = format!("[{section}]");
    let line = vectors
        .lines()
        .skip_while(|line| *line != heading)
        .find_map(|line| line.strip_prefix("key_block_card"))
        .unwrap_or_else(|| panic!("no {heading}"));
    bytes(line.trim_start_matches([' ', '=']))
}

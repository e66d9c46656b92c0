//! Tables for people, JSON for scripts.

use std::io::{self, Write};

use serde::Serialize;

/// Prints rows under their headings, each column as wide as its widest cell.
pub(super) fn print<const N: usize>(
    out: &mut impl Write,
    headings: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        longest.max(headings.get(column).map_or(0, |heading| heading.len()))
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut line = |cells: &[String; N]| {
        let padded = cells.iter().zip(&widths);
        let padded: Vec<String> = padded.map(|(cell, &w)| format!("{cell:w$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())
    };
    line(&headings.map(str::to_uppercase))?;
    rows.iter().try_for_each(&mut line)
}

/// Prints JSON for scripts.
pub(super) fn json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string_pretty(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_spaces() {
        let rows = [
            ["se-00".to_owned(), "present".to_owned(), String::new()],
            ["a".to_owned(), "absent".to_owned(), "x".to_owned()],
        ];
        let mut out = Vec::new();
        print(&mut out, ["seid", "state", "why"], &rows).expect("memory");
        let expected = "\
SEID   STATE    WHY
se-00  present
a      absent   x
";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}

//! The middleware's audit file, its chain checked.

use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Reads an audit file and checks that each line holds the number and the hash that it must.
///
/// This is a second opinion: it shares no code with the middleware.
///
/// # Errors
/// What is wrong, and in which line.
pub fn read(path: &Path) -> Result<Vec<Value>, String> {
    let text = std::fs::read_to_string(path).map_err(|err| format!("{}: {err}", path.display()))?;
    verify(&text)
}

/// As [`read`], of the contents of a file.
///
/// # Errors
/// What is wrong, and in which line.
pub fn verify(text: &str) -> Result<Vec<Value>, String> {
    let mut before = "0".repeat(64);
    let mut records = Vec::new();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line is cut".to_owned());
    }
    for (number, line) in text.lines().enumerate() {
        let record: Value =
            serde_json::from_str(line).map_err(|err| format!("line {number}: {err}"))?;
        if record["seq"] != number {
            return Err(format!("line {number}: its number is {}", record["seq"]));
        }
        if record["prev"] != before.as_str() {
            return Err(format!("line {number}: another line stood before it"));
        }
        let hash = Sha256::digest(line.as_bytes());
        before = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_lines(first: &str) -> String {
        let zeros = "0".repeat(64);
        let line = format!("{{\"seq\":0,\"prev\":\"{zeros}\"}}");
        let hash: String = Sha256::digest(&line)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let line = line.replace("\"seq\":0", first);
        format!("{line}\n{{\"seq\":1,\"prev\":\"{hash}\"}}\n")
    }

    #[test]
    fn an_edit_or_a_cut_is_found() {
        let good = two_lines("\"seq\":0");
        assert_eq!(verify(&good).map(|records| records.len()), Ok(2));
        assert!(verify(&two_lines("\"seq\":0,\"more\":1")).is_err());
        assert!(verify(good.trim_end()).is_err());
        let (_, second) = good.split_once('\n').expect("two lines");
        assert!(verify(second).is_err());
    }
}

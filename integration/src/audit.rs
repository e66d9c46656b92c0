//! The middleware's audit file, its chain checked.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Reads an audit, its old files first, and checks that each line holds the number and the hash that
/// it must.
///
/// This is a second opinion: it shares no code with the middleware.
///
/// # Errors
/// What is wrong, and in which line.
pub fn read(path: &Path) -> Result<Vec<Value>, String> {
    let mut text = String::new();
    for file in files(path) {
        let more = std::fs::read_to_string(&file).map_err(|err| format!("{file:?}: {err}"))?;
        text.push_str(&more);
    }
    verify(&text)
}

/// The files of the audit at `path`, the oldest first.
#[must_use]
pub fn files(path: &Path) -> Vec<PathBuf> {
    let numbered = |number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let old = (1..).map(numbered).take_while(|file| file.exists());
    let mut files: Vec<PathBuf> = std::iter::once(path.to_owned()).chain(old).collect();
    files.reverse();
    files
}

/// As [`read`], of the contents of all files.
///
/// # Errors
/// What is wrong, and in which line.
pub fn verify(text: &str) -> Result<Vec<Value>, String> {
    let mut before = None;
    let mut records: Vec<Value> = Vec::new();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line is cut".to_owned());
    }
    for (number, line) in text.lines().enumerate() {
        let record: Value =
            serde_json::from_str(line).map_err(|err| format!("line {number}: {err}"))?;
        let (seq, prev) = match &before {
            Some((seq, hash)) => (seq + 1, String::clone(hash)),
            None if record["event"] == "file-continued" => {
                let previous = record["previous_seq"].as_u64().unwrap_or_default();
                let hash = record["previous_sha256"].as_str().unwrap_or_default();
                (previous + 1, hash.to_owned())
            }
            None => (0, "0".repeat(64)),
        };
        if record["seq"] != seq {
            return Err(format!("line {number}: its number is {}", record["seq"]));
        }
        if record["prev"] != prev.as_str() {
            return Err(format!("line {number}: another line stood before it"));
        }
        let hash = Sha256::digest(line.as_bytes());
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        before = Some((seq, hash));
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

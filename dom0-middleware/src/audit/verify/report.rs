//! What came of looking at an audit.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// An audit in which nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The files, the oldest first.
    pub files: Vec<PathBuf>,
    /// How many lines they have.
    pub lines: u64,
    /// The number of the first line; above 0 when older files are gone.
    pub first_seq: u64,
    /// The number of the last line.
    pub last_seq: u64,
    /// Its time.
    pub last_time: String,
    /// What is signed.
    pub checkpoints: Checkpoints,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

/// What is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checkpoints {
    /// Checkpoints with a good signature.
    pub signed: u64,
    /// Checkpoints that say they are not signed.
    pub unsigned: u64,
    /// Whether the keys that signed are certified by an HV certificate that was given.
    pub certified: bool,
    /// The number of the last signed line: no line up to it can be another than it was.
    pub last_signed_seq: Option<u64>,
    /// Its time. Of a service that runs it is at most an hour ago.
    pub last_signed_time: Option<String>,
    /// HV certificates that the files name; who was given none compares them by eye.
    pub hosts: Vec<String>,
}

/// What is wrong with an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// In which file.
    pub file: PathBuf,
    /// In which line of it, from 1; 0 when it concerns the whole.
    pub line: u64,
    /// What.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.reason)
    }
}

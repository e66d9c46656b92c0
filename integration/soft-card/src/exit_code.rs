//! What the process says when it ends.

use std::process::ExitCode;

/// The exit codes of this program, the project's common ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The thing asked for is not so: the PIN differs, the name is taken.
    NotSo = 1,
    /// The command line is wrong.
    Usage = 64,
    /// The reader is missing, or the card is in use.
    Missing = 69,
    /// Our fault, or the file system's.
    Fault = 70,
    /// The card directory or a file for it is wrong.
    Configuration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

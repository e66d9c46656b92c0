//! What the process says when it ends.

/// The exit codes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// Done; the token is valid.
    Success = 0,
    /// The token is not valid, or no token.
    NotSo = 1,
    /// The command line is wrong.
    Usage = 64,
    /// A program, a terminal or a VM is missing.
    Unavailable = 69,
    /// Our fault, or the file system's.
    Internal = 70,
    /// The answer is no.
    Refused = 77,
    /// A file that was named cannot be used.
    Configuration = 78,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

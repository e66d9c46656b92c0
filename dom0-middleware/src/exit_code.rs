//! What the process says when it ends.

/// The exit codes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done.
    Success = 0,
    /// The thing asked about is not so.
    NotSo = 1,
    /// The command line is wrong.
    Usage = 64,
    /// A card, a socket or the running service is missing.
    Unavailable = 69,
    /// Our fault.
    Internal = 70,
    /// The answer is no.
    Refused = 77,
    /// The configuration cannot be used.
    Configuration = 78,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

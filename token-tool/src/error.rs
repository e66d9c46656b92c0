//! Why a command fails.

use std::io;
use std::path::Path;

use crate::exit_code::ExitCode;

/// Any failure of the program, one for each exit code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// The token is not valid or cannot be read.
    #[error("{0}")]
    NotSo(String),
    /// The same, and the answer on stdout says so already.
    #[error("{0}")]
    NotSoAndSaid(String),
    /// The command line asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// A program, a terminal or a VM is not there.
    #[error("{0}")]
    Missing(String),
    /// Our fault, or the file system's.
    #[error("{0}")]
    Internal(String),
    /// What is asked for is not done.
    #[error("{0}")]
    Refused(String),
    /// A file cannot be used.
    #[error("{file}: {why}")]
    Unusable {
        /// The file as it was named.
        file: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ToolError {
    /// `file` cannot be used because of `why`.
    pub(crate) fn unusable(file: &Path, why: impl ToString) -> Self {
        let file = match file.to_str() {
            Some("-") => "stdin".to_owned(),
            _ => file.display().to_string(),
        };
        let why = why.to_string();
        Self::Unusable { file, why }
    }

    /// What the process says.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotSo(_) | Self::NotSoAndSaid(_) => ExitCode::NotSo,
            Self::Usage(_) => ExitCode::Usage,
            Self::Missing(_) => ExitCode::Unavailable,
            Self::Internal(_) => ExitCode::Internal,
            Self::Refused(_) => ExitCode::Refused,
            Self::Unusable { .. } => ExitCode::Configuration,
        }
    }

    /// Whether it is still to be said on stderr.
    pub(crate) fn is_unsaid(&self) -> bool {
        !matches!(self, Self::NotSoAndSaid(_))
    }
}

/// Writing the result failed.
impl From<io::Error> for ToolError {
    fn from(error: io::Error) -> Self {
        Self::Internal(format!("writing the result: {error}"))
    }
}

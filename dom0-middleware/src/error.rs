//! Why a command fails.

use std::fmt;
use std::io;
use std::path::PathBuf;

use proto::apdu::StatusWord;
use thiserror::Error;

use crate::admin::{AdminError, ProblemCode};
use crate::audit::{AuditError, VerifyError};
use crate::config::ConfigError;
use crate::exit_code::ExitCode;
use crate::racs::client::{GridError, GridProblem, ScriptError, ScriptProblem};
use crate::service::ServiceError;
use crate::socket::SocketError;
use crate::state::{BackupError, StateError};

/// Any failure of the program.
#[derive(Debug, Error)]
pub(crate) enum MiddlewareError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The service does not run.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Asking the service failed.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A path on the command line means nothing.
    #[error("cannot make the path absolute")]
    Path(#[source] io::Error),
    /// The audit is not as it was written, or cannot be read.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A certificate on the command line cannot be used.
    #[error("HV certificate {}: {reason}", path.display())]
    HvCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file that the command line names.
    #[error("{}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why it cannot be used.
        source: io::Error,
    },
    /// There is no backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Something of the installation does not work.
    #[error("checks failed: {count}")]
    Findings {
        /// How many.
        count: usize,
    },
    /// Another host's grid did not do what it was asked.
    #[error("{0}; {next}", next = .0.problem.next())]
    Grid(GridError),
    /// An APDU on the command line is none.
    #[error("APDU {number}: {problem}")]
    Apdu {
        /// Which argument, the first being 1.
        number: usize,
        /// Why.
        problem: ScriptProblem,
    },
    /// A script cannot be read.
    #[error("{}", path.display())]
    ScriptFile {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of a script is no APDU.
    #[error("{file}")]
    Script {
        /// Which file.
        file: String,
        /// Which line, and why.
        source: ScriptError,
    },
    /// A card's status is not the one that had to be.
    #[error(
        "{apdu}: the card answered {}, not {}",
        got.map_or_else(|| "with another status, which the grid does not say".to_owned(), |sw| sw.to_string()),
        expected.map_or_else(String::new, |sw| sw.to_string())
    )]
    OtherStatus {
        /// Which APDU: its place on the command line, or file and line.
        apdu: String,
        /// What it had to be.
        expected: Option<StatusWord>,
        /// What it was; `None` where the server does not say.
        got: Option<StatusWord>,
    },
    /// The result cannot be printed.
    #[error("writing the result")]
    Output(#[from] io::Error),
}

/// Said with its next step behind it, so it is no cause to be said once more.
impl From<GridError> for MiddlewareError {
    fn from(error: GridError) -> Self {
        Self::Grid(error)
    }
}

impl MiddlewareError {
    /// What the process says.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) => ExitCode::Configuration,
            Self::Findings { .. } | Self::Verify(VerifyError::Fault(_)) => ExitCode::NotSo,
            Self::OtherStatus { .. } => ExitCode::NotSo,
            Self::Grid(error) => of_grid(&error.problem),
            Self::Apdu { .. } => ExitCode::Usage,
            Self::Script { .. } | Self::ScriptFile { .. } => ExitCode::Configuration,
            Self::Verify(VerifyError::Read { .. }) | Self::State(_) => ExitCode::Unavailable,
            Self::HvCertificate { .. } => ExitCode::Configuration,
            Self::Path(_) | Self::File { .. } => ExitCode::Usage,
            Self::Backup(BackupError::Exists(_)) => ExitCode::Refused,
            Self::Backup(BackupError::State(_) | BackupError::Write { .. }) => {
                ExitCode::Unavailable
            }
            Self::Service(error) => of_service(error),
            Self::Admin(AdminError::Unavailable { source, .. }) => match source.kind() {
                io::ErrorKind::PermissionDenied => ExitCode::Refused,
                _ => ExitCode::Unavailable,
            },
            Self::Admin(AdminError::Refused(problem)) => match problem.code {
                ProblemCode::NoCard | ProblemCode::Unavailable => ExitCode::Unavailable,
                ProblemCode::NotFound => ExitCode::NotSo,
                ProblemCode::Refused => ExitCode::Refused,
                ProblemCode::BadRequest => ExitCode::Internal,
            },
            Self::Admin(AdminError::Answer(_) | AdminError::OtherAnswer) | Self::Output(_) => {
                ExitCode::Internal
            }
        }
    }
}

fn of_grid(problem: &GridProblem) -> ExitCode {
    match problem {
        GridProblem::Files(_) => ExitCode::Configuration,
        GridProblem::TooLong => ExitCode::Usage,
        problem if problem.is_refusal() => ExitCode::Refused,
        _ => ExitCode::Unavailable,
    }
}

fn of_service(error: &ServiceError) -> ExitCode {
    match error {
        ServiceError::Config(error) if error.is_absent_card() => ExitCode::Unavailable,
        ServiceError::Config(_)
        | ServiceError::Audit(AuditError::NotAnAudit(_) | AuditError::Io { .. })
        | ServiceError::Socket(SocketError::Io { .. })
        | ServiceError::Ledger(_)
        | ServiceError::State(
            StateError::Io { .. }
            | StateError::Foreign(_)
            | StateError::Newer { .. }
            | StateError::LogOfAnother(_)
            | StateError::Damaged { .. },
        )
        | ServiceError::AuditRead(_)
        | ServiceError::Former { .. }
        | ServiceError::BoundTwice { .. }
        | ServiceError::Binding { .. }
        | ServiceError::RawKeyUse { .. }
        | ServiceError::Trust { .. }
        | ServiceError::Reader { .. } => ExitCode::Configuration,
        ServiceError::Racs(error) if error.is_in_use() => ExitCode::Unavailable,
        ServiceError::Racs(_) => ExitCode::Configuration,
        // Most likely another one runs already.
        ServiceError::Audit(AuditError::InUse(_))
        | ServiceError::Socket(SocketError::Occupied(_))
        | ServiceError::State(StateError::InUse(_) | StateError::Sqlite { .. })
        | ServiceError::Change(_)
        | ServiceError::Vchan(_)
        | ServiceError::AuditWrite(_) => ExitCode::Unavailable,
        ServiceError::System(_) | ServiceError::Tls(_) | ServiceError::WorkerEnded { .. } => {
            ExitCode::Internal
        }
    }
}

/// An error with all its causes, on one line.
pub(crate) struct Causes<'a>(pub(crate) &'a dyn std::error::Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

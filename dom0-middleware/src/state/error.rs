//! Why the state cannot be used, or a change was not made.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

/// Why the state cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// The operating system said no.
    #[error("state file {}", path.display())]
    Io {
        /// The file, or its folder.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "state file {} is in use by another process: stop it, or name another file with \
         service.state_file",
        .0.display()
    )]
    InUse(PathBuf),
    /// Something else is in the file.
    #[error(
        "{} is not a state file of dom0-middleware: move it away, or name another file with \
         service.state_file",
        .0.display()
    )]
    Foreign(PathBuf),
    /// A later version of the program wrote it.
    #[error(
        "state file {} has version {found}, this program knows {known} at most: run the newer \
         program, or restore a backup that the older one made",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The latest version this program knows.
        known: u32,
    },
    /// The log of another database lies beside it.
    #[error(
        "state file {} is a restored backup, and beside it lies the log of the database it \
         replaced: remove {}-wal and {}-shm, then start again",
        .0.display(), .0.display(), .0.display()
    )]
    LogOfAnother(PathBuf),
    /// It is damaged.
    #[error(
        "state file {} is damaged ({what}): stop the service, put a backup in its place (see \
         `state backup`), and start it again; what was revoked and unbound since the backup is \
         taken from the audit",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// SQLite said no.
    #[error("state file {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: rusqlite::Error,
    },
}

impl StateError {
    /// What SQLite's error means for the file at `path`.
    pub(super) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse(path),
            Some(ErrorCode::NotADatabase) => Self::Foreign(path),
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged {
                path,
                what: source.to_string(),
            },
            _ => match source {
                // What we wrote is not what stands there.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::QueryReturnedNoRows => Self::Damaged {
                    path,
                    what: source.to_string(),
                },
                source => Self::Sqlite { path, source },
            },
        }
    }
}

/// Why a change was not made. Everything is as before.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// It could not be written; the audit does not speak of it.
    #[error("the change cannot be written")]
    State(#[source] StateError),
    /// Its audit record could not be written for good. The record may be there all the same.
    #[error("the audit record of the change cannot be written")]
    Audit {
        /// The number that the change would have had.
        change: u64,
        /// Why.
        source: io::Error,
    },
    /// Its audit record is there, and then it could not be made for good.
    #[error("the change cannot be made durable")]
    Commit {
        /// The number that the change would have had.
        change: u64,
        /// Why.
        source: StateError,
    },
}

impl ChangeError {
    /// The number of a change that the audit may speak of though it was not made.
    #[must_use]
    pub fn recorded(&self) -> Option<u64> {
        match self {
            Self::State(_) => None,
            Self::Audit { change, .. } | Self::Commit { change, .. } => Some(*change),
        }
    }
}

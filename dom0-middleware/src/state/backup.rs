//! A copy of the state while the service runs.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use thiserror::Error;

use super::error::StateError;
use super::open::sync_folder;

/// Why there is no backup.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something is there already.
    #[error("{} is there already, and is not overwritten: name another file", .0.display())]
    Exists(PathBuf),
    /// The backup cannot be written.
    #[error("cannot write the backup {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Copies the state at `from` to the new file `to`, mode 0600: all that is committed now. The copy
/// is on disk when this returns. The state may be in use.
///
/// # Errors
/// [`BackupError`]; there is no file at `to` then, unless it was there before.
pub fn back_up(from: &Path, to: &Path) -> Result<(), BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let unreadable = |error| StateError::of(from, error);
    let connection = Connection::open_with_flags(from, flags).map_err(unreadable)?;
    connection.busy_timeout(BUSY).map_err(unreadable)?;
    // Nobody else can put something there from now on, and nobody else can read it.
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to);
    let file = made.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
        _ => write_error(to)(source),
    })?;
    let name = to
        .to_str()
        .ok_or_else(|| io::ErrorKind::InvalidFilename.into());
    let copied = name.map_err(write_error(to)).and_then(|name| {
        // SQLite takes an empty file for a new database.
        let copied = connection.execute("VACUUM INTO ?1", [name]);
        copied.map_err(unreadable)?;
        let synced = file.sync_all().and_then(|()| sync_folder(to));
        synced.map_err(write_error(to))
    });
    if copied.is_err() {
        // Half a backup is worse than none.
        let _ = fs::remove_file(to);
    }
    copied
}

fn write_error(path: &Path) -> impl Fn(io::Error) -> BackupError {
    move |source| BackupError::Write {
        path: path.to_owned(),
        source,
    }
}

/// How long the service may keep us waiting.
const BUSY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::change::Edit;
    use super::super::open::State;
    use super::super::testing::{head, open, record};
    use super::*;
    use crate::time::UnixTime;

    fn revoke(state: &State, number: u8) {
        let edit = |edit: &Edit<'_>| edit.revoke([number; 16], None, UnixTime::from_secs(1));
        state.change(edit, record).expect("made");
    }

    #[test]
    fn a_backup_of_a_state_in_use_is_that_state() {
        let (dir, state) = open();
        revoke(&state, 1);
        let backup = dir.path().join("backup.db");
        back_up(&dir.path().join("state.db"), &backup).expect("written");
        revoke(&state, 2);
        let mode = fs::metadata(&backup).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let restored = State::open(&backup).expect("a state");
        assert_eq!(restored.revoked().expect("read").len(), 1);
        assert_eq!(restored.last_change(), 1);
        assert_eq!(restored.audit_head().expect("read"), Some(head(1)));
        assert_eq!(state.revoked().expect("read").len(), 2);
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_is_left() {
        let (dir, _state) = open();
        let state = dir.path().join("state.db");
        let there = dir.path().join("notes");
        fs::write(&there, "precious").expect("written");
        assert!(matches!(
            back_up(&state, &there),
            Err(BackupError::Exists(_))
        ));
        assert_eq!(fs::read_to_string(&there).expect("there"), "precious");
        let nowhere = dir.path().join("gone/backup.db");
        assert!(matches!(
            back_up(&state, &nowhere),
            Err(BackupError::Write { .. })
        ));
        let new = dir.path().join("new");
        assert!(back_up(&there, &new).is_err());
        assert!(back_up(&dir.path().join("no.db"), &new).is_err());
        assert!(!new.exists());
    }

    #[test]
    fn a_backup_beside_the_log_of_another_database_is_not_used() {
        let (dir, state) = open();
        let path = dir.path().join("state.db");
        let backup = dir.path().join("backup.db");
        back_up(&path, &backup).expect("written");
        revoke(&state, 1);
        let log = fs::read(dir.path().join("state.db-wal")).expect("in use");
        drop(state);
        // Killed, and then the backup was copied over the file.
        fs::copy(&backup, &path).expect("copied");
        fs::write(dir.path().join("state.db-wal"), log).expect("written");
        let error = State::open(&path).expect_err("two databases");
        assert!(matches!(error, StateError::LogOfAnother(_)), "{error}");
        fs::remove_file(dir.path().join("state.db-wal")).expect("there");
        State::open(&path).expect("the backup");
    }
}

//! Opening the state file: made if it is not there, never if something else is there.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tracing::info;

use super::error::StateError;
use super::schema;

/// What must survive the process; see the module. Clones are the same state.
#[derive(Debug, Clone)]
pub struct State(Arc<Mutex<Inner>>);

/// The one writer.
#[derive(Debug)]
pub(super) struct Inner {
    // Before the file: closing any descriptor of the file would end the locks of SQLite.
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// The number of the last change that was made, or that the audit may speak of.
    pub(super) last_change: u64,
    /// Held for as long as the state is: no second service has this file.
    _lock: File,
}

impl State {
    /// Opens the state at `path`. A file that is not there is made, mode 0600, with its folder,
    /// mode 0700.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be used. It is then as it was.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Io {
            path: path.to_owned(),
            source,
        };
        let lock = lock_file(path)?;
        let is_empty = look_at_header(&lock, path)?;
        let mut connection = connect(path).map_err(|error| StateError::of(path, error))?;
        check(&connection, path, is_empty)?;
        schema::migrate(&mut connection).map_err(|error| StateError::of(path, error))?;
        if is_empty {
            info!(path = %path.display(), "made a new state file");
            sync_folder(path).map_err(failed)?;
        }
        let last_change = connection
            .query_row("SELECT change FROM head", (), |row| row.get::<_, i64>(0))
            .map_err(|error| StateError::of(path, error))?;
        Ok(Self(Arc::new(Mutex::new(Inner {
            connection,
            path: path.to_owned(),
            last_change: last_change.unsigned_abs(),
            _lock: lock,
        }))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A transaction that a panic left behind was rolled back when it was dropped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Runs `work`, which fails as SQLite does.
    pub(super) fn run<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        work(&mut self.connection).map_err(|error| StateError::of(&self.path, error))
    }
}

/// The file, locked against other services.
fn lock_file(path: &Path) -> Result<File, StateError> {
    let failed = |source| StateError::Io {
        path: path.to_owned(),
        source,
    };
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    if let Some(folder) = folder {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| StateError::Io {
            path: folder.to_owned(),
            source,
        })?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StateError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // SQLite makes the files beside it with the same mode.
    let private = Permissions::from_mode(0o600);
    file.set_permissions(private).map_err(failed)?;
    Ok(file)
}

/// What can be told before SQLite looks at the file; whether there is nothing in it.
///
/// Source: <https://www.sqlite.org/fileformat2.html> §1.3, the database header.
fn look_at_header(file: &File, path: &Path) -> Result<bool, StateError> {
    let mut header = Vec::with_capacity(HEADER);
    file.take(HEADER as u64)
        .read_to_end(&mut header)
        .map_err(|source| StateError::Io {
            path: path.to_owned(),
            source,
        })?;
    if header.is_empty() {
        return Ok(true);
    }
    if !header.starts_with(MAGIC) {
        return Err(StateError::Foreign(path.to_owned()));
    }
    // A state in use is in WAL mode; a backup is not, until it is opened.
    let is_backup = header.get(18..20) == Some(&[1, 1]);
    if is_backup && beside(path, "-wal").exists() {
        return Err(StateError::LogOfAnother(path.to_owned()));
    }
    Ok(false)
}

const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The file that SQLite keeps beside another one.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// How long somebody with `sqlite3` may keep the service waiting.
const BUSY: Duration = Duration::from_millis(500);

/// That the file is ours and whole, and that what is committed stays.
fn check(connection: &Connection, path: &Path, is_empty: bool) -> Result<(), StateError> {
    let failed = |error| StateError::of(path, error);
    let application: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(failed)?;
    let version = schema::version(connection).map_err(failed)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(failed)?;
    // A start that was cut short leaves a file without tables.
    let is_new = is_empty || (application, version, tables) == (0, 0, 0);
    if !is_new && application != schema::APPLICATION_ID {
        return Err(StateError::Foreign(path.to_owned()));
    }
    if version > schema::VERSION {
        return Err(StateError::Newer {
            path: path.to_owned(),
            found: version,
            known: schema::VERSION,
        });
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
        .map_err(failed)?;
    if verdict != "ok" {
        return Err(StateError::Damaged {
            path: path.to_owned(),
            what: verdict,
        });
    }
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        return Err(StateError::Io {
            path: path.to_owned(),
            source: io::Error::other(format!("journal mode {mode} instead of wal")),
        });
    }
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(failed)
}

/// Makes the name of a new file durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;

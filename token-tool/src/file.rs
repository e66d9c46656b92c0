//! Writing files: in one step, or only where there is none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process;

use crate::error::ToolError;

/// Replaces the file at `path` by `content` in one step; whoever reads it finds the old content or
/// the new one. It is on disk when this returns.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), ToolError> {
    let mut new = path.to_owned().into_os_string();
    new.push(format!(".{}.new", process::id()));
    let new = PathBuf::from(new);
    let written = write_new(&new, content, mode).and_then(|()| fs::rename(&new, path));
    written.and_then(|()| sync_folder(path)).map_err(|error| {
        // Nothing is there when it could not be made.
        let _ = fs::remove_file(&new);
        cannot_write(path, &error)
    })
}

/// Writes a file where there is none. It is on disk when this returns.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> Result<(), ToolError> {
    write_new(path, content, mode)
        .and_then(|()| sync_folder(path))
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(path),
            _ => cannot_write(path, &error),
        })
}

/// `path` is there already.
pub(crate) fn exists(path: &Path) -> ToolError {
    let path = path.display();
    ToolError::Refused(format!("{path} exists and is not overwritten"))
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    // Whatever the umask of the operator is.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn cannot_write(path: &Path, error: &io::Error) -> ToolError {
    ToolError::Internal(format!("cannot write {}: {error}", path.display()))
}

//! The folder: one file for each domain, replaced in one step.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use proto::id::DomainUuid;

/// The longest file that is read, in bytes: a token has at most 2,731 as text.
const MAX_FILE: u64 = 4 << 10;

/// The most files that are looked at.
const MAX_FILES: usize = 16 << 10;

/// How a file with a token ends; the domain's UUID stands before.
const ENDING: &str = ".token";

/// Where the tokens are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenFolder(PathBuf);

/// A file of the folder whose name ends as that of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name in the folder, for the operator.
    pub(crate) name: String,
    /// The domain that it is named after, if it is.
    pub(crate) domain: Option<DomainUuid>,
    /// What stands in it, or why that cannot be read.
    pub(crate) content: Result<Vec<u8>, String>,
}

impl TokenFolder {
    /// The folder at `path`, which need not be there yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it, for its owner alone, if it is not there.
    pub(crate) fn make(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
    }

    /// All files with tokens, whatever is in them.
    pub(crate) fn read(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.0)? {
            let name = file?.file_name();
            if !is_token(&name) {
                continue;
            }
            if entries.len() == MAX_FILES {
                let problem = format!("more than {MAX_FILES} tokens in it");
                return Err(io::Error::other(problem));
            }
            entries.push(Entry {
                domain: domain_of(&name),
                content: read(&self.0.join(&name)).map_err(|error| error.to_string()),
                name: name.display().to_string(),
            });
        }
        Ok(entries)
    }

    /// What the file of a domain holds; `None` when there is none.
    pub(crate) fn content(&self, domain: DomainUuid) -> io::Result<Option<Vec<u8>>> {
        match read(&self.file(domain)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The file of a domain.
    pub(crate) fn file(&self, domain: DomainUuid) -> PathBuf {
        self.0.join(format!("{domain}{ENDING}"))
    }

    /// Writes what is to become the file of a domain, beside it: on disk, and nobody looks at it.
    /// Nobody else writes at the same time.
    pub(crate) fn prepare(&self, domain: DomainUuid, token: &str) -> io::Result<Prepared> {
        let prepared = Prepared {
            file: self.file(domain),
            // Its name does not end as that of a token.
            new: self.0.join(format!("{domain}{ENDING}.new")),
        };
        // Of an earlier attempt; mostly there is none.
        let _ = fs::remove_file(&prepared.new);
        write_new(&prepared.new, token)?;
        Ok(prepared)
    }
}

/// A file that is written and has not yet taken its place. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Prepared {
    file: PathBuf,
    new: PathBuf,
}

impl Prepared {
    /// Replaces the file of the domain in one step; on disk when this returns.
    pub(crate) fn publish(self) -> io::Result<()> {
        fs::rename(&self.new, &self.file)?;
        let folder = self.file.parent().unwrap_or_else(|| Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Nothing is there once it has taken its place.
        let _ = fs::remove_file(&self.new);
    }
}

fn is_token(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(ENDING.as_bytes())
}

fn domain_of(name: &OsStr) -> Option<DomainUuid> {
    name.to_str()?.strip_suffix(ENDING)?.parse().ok()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Neither a link to somewhere else nor a pipe that never answers.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut content)?;
    match content.len() as u64 > MAX_FILE {
        true => Err(io::Error::other(format!("longer than {MAX_FILE} bytes"))),
        false => Ok(content),
    }
}

fn write_new(path: &Path, token: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::testing::domain;
    use super::*;

    #[test]
    fn what_is_written_is_read_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = TokenFolder::new(dir.path().join("a/tokens"));
        folder.make().expect("made");
        folder.make().expect("it is there");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(folder.content(domain(1)).expect("none"), None);
        for token in ["first", "second"] {
            let prepared = folder.prepare(domain(1), token).expect("written");
            prepared.publish().expect("in its place");
            let content = folder.content(domain(1)).expect("read");
            assert_eq!(content, Some(format!("{token}\n").into_bytes()));
        }
        assert_eq!(mode(&folder.file(domain(1))), 0o600);
        let entries = folder.read().expect("read");
        let entry = Entry {
            name: format!("{}.token", domain(1)),
            domain: Some(domain(1)),
            content: Ok(b"second\n".to_vec()),
        };
        assert_eq!(entries, [entry]);
        // What does not take its place leaves nothing behind.
        drop(folder.prepare(domain(1), "third").expect("written"));
        assert_eq!(folder.read().expect("read"), entries);
        let files = fs::read_dir(folder.path()).expect("there");
        assert_eq!(files.count(), 1);
    }

    #[test]
    fn what_is_no_file_with_a_token_is_named_or_passed_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = TokenFolder::new(dir.path().to_owned());
        let at = |name: &str| dir.path().join(name);
        fs::write(at("notes"), "x").expect("writable");
        fs::write(at(&format!("{}.token.7.new", domain(1))), "x").expect("writable");
        assert_eq!(folder.read().expect("read"), []);

        fs::write(at("web01.token"), "x").expect("writable");
        symlink("web01.token", folder.file(domain(2))).expect("writable");
        fs::create_dir(folder.file(domain(3))).expect("writable");
        let long = vec![b'A'; 4097];
        fs::write(folder.file(domain(4)), long).expect("writable");
        nix::unistd::mkfifo(&folder.file(domain(5)), nix::sys::stat::Mode::S_IRWXU)
            .expect("writable");
        let entries = folder.read().expect("read");
        assert_eq!(entries.len(), 5);
        for entry in entries {
            let name = entry.name.as_str();
            assert_eq!(entry.domain.is_none(), name == "web01.token", "{name}");
            assert_eq!(entry.content.is_ok(), name == "web01.token", "{name}");
        }
        assert!(folder.content(domain(4)).is_err());
    }
}

//! The real libxenvchan between programs of this machine, without Xen: `integration/plain-vchan`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::xenstored::Xenstored;

/// Plays the hypervisor for programs that are [equipped](Self::equip).
#[derive(Debug)]
pub struct PlainVchan {
    preload: PathBuf,
    folder: TempDir,
}

impl PlainVchan {
    /// Builds what must be preloaded, if it is not there.
    ///
    /// # Panics
    /// When it cannot be built: what it needs is named in `scripts/deps`.
    #[must_use]
    pub fn new() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("plain-vchan/build");
        let built = Command::new(script).output().expect("a script");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
        let path = String::from_utf8(built.stdout).expect("a path");
        Self {
            preload: path.trim_end().into(),
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// Lets a program use vchans over `xenstored`.
    pub fn equip(&self, command: &mut Command, xenstored: &Xenstored) {
        command.envs(self.environment());
        command.env("XENSTORED_PATH", xenstored.socket());
    }

    /// The same, but for xenstored, as variables of the environment.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("LD_PRELOAD", self.preload.clone()),
            ("PLAIN_VCHAN", self.folder.path().to_owned()),
        ]
    }

    /// The pages that are shared, each by its grant.
    ///
    /// # Panics
    /// When they cannot be opened.
    #[must_use]
    pub fn pages(&self) -> Vec<SharedPage> {
        let entries = std::fs::read_dir(self.folder.path()).expect("our own folder");
        let paths = entries.map(|entry| entry.expect("our own folder").path());
        let grant = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.strip_prefix("page-")?;
            name.parse().ok().filter(|grant: &u32| *grant != 0)
        };
        let pages = paths.filter_map(|path| {
            let grant = grant(&path)?;
            let file = File::options().write(true).open(&path);
            Some(SharedPage {
                grant,
                file: file.expect("our own file"),
            })
        });
        pages.collect()
    }
}

impl Default for PlainVchan {
    fn default() -> Self {
        Self::new()
    }
}

/// A page that two programs have in common.
#[derive(Debug)]
pub struct SharedPage {
    /// Its grant, as `ring-ref` in xenstore names the first one of a vchan.
    pub grant: u32,
    file: File,
}

impl SharedPage {
    /// Writes into it, behind the backs of both.
    ///
    /// # Panics
    /// When the system does not let us.
    pub fn scribble(&self, offset: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, offset).expect("our own file");
    }
}

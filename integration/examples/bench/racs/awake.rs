//! Work beside what is measured, so that no processor goes to sleep.

use std::process::Command;
use std::thread;

use integration::process::Process;
use tempfile::TempDir;

/// A program of the lowest priority on each processor, until this is dropped.
///
/// A virtual processor that has nothing to do is taken away by the hypervisor, and gets back some 30 µs after
/// it is wanted: that would be most of a round trip. The published figures had other work beside them
/// too.
pub(super) struct Awake {
    // Before the folder, where their logs are.
    _programs: Vec<Process>,
    _folder: TempDir,
}

impl Awake {
    pub(super) fn keep() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let programs = (0..processors).map(|number| {
            let mut command = Command::new("nice");
            command.args(["-n", "19", "sh", "-c", "while :; do :; done"]);
            Process::start_silent(&format!("awake-{number}"), &mut command, folder.path())
        });
        Self {
            _programs: programs.collect(),
            _folder: folder,
        }
    }
}

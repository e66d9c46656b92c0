//! The daemon's process.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::wire::{Client, StoreError};
use crate::process::Process;
use crate::wait;

/// A running xenstored that knows of dom0 only.
#[derive(Debug)]
pub struct Xenstored {
    process: Process,
    folder: TempDir,
}

impl Xenstored {
    /// Starts a daemon of its own and waits until it answers.
    ///
    /// # Panics
    /// When it cannot be had: its packages are named in `scripts/deps`.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let process = start(folder.path());
        let mut daemon = Self { process, folder };
        daemon.become_ready();
        daemon
    }

    /// Starts another one in place of the killed one. It knows nothing of what was before.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.process = start(self.folder.path());
        self.become_ready();
    }

    /// Waits for the daemon and does what the host does when it boots.
    fn become_ready(&mut self) {
        let socket = self.socket();
        wait::until(
            "xenstored answers; see integration/plain-xenstored for what it needs",
            || {
                self.process.expect_running();
                Client::connect(&socket).ok().map(drop)
            },
        );
        self.change(|store| {
            store.write("/local/domain/0/domid", b"0")?;
            store.write("/local/domain/0/name", b"Domain-0")
        });
    }

    /// The socket for clients, which programs find in `XENSTORED_PATH`.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Changes something in the store.
    ///
    /// # Panics
    /// When the daemon says no.
    pub fn change(&self, change: impl FnOnce(&mut Client) -> Result<(), StoreError>) {
        let mut client = Client::connect(&self.socket()).expect("it listens");
        change(&mut client).expect("allowed");
    }

    /// What stands at a node, as text; `None` when there is no such node.
    ///
    /// # Panics
    /// When the daemon says no.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
        let mut client = Client::connect(&self.socket()).expect("it listens");
        let value = client.read(path).expect("allowed");
        value.map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    /// Who may use a node that is there: `n0` and `r7` for owner dom0, readable by domain 7.
    ///
    /// # Panics
    /// When the daemon says no.
    #[must_use]
    pub fn permissions(&self, path: &str) -> Vec<String> {
        let mut client = Client::connect(&self.socket()).expect("it listens");
        client.permissions(path).expect("allowed")
    }

    /// Kills the daemon; its socket's file stays.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Lets the daemon neither answer nor end.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets the daemon go on.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).expect("process ids are small");
        kill(Pid::from_raw(pid), signal).expect("our own child, not waited for yet");
    }
}

fn start(folder: &Path) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("plain-xenstored/plain-xenstored");
    let mut command = Command::new(script);
    command.arg(folder);
    Process::start_silent("xenstored", &mut command, folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xenstored::Domain;

    #[test]
    fn the_daemon_keeps_what_it_is_told_and_says_no_to_what_is_wrong() {
        let mut daemon = Xenstored::start();
        daemon.create(&Domain::new(7, 7, "web01"));
        daemon.destroy(7);
        let mut client = Client::connect(&daemon.socket()).expect("it listens");
        let refused = client.write("/a//b", b"").expect_err("no path");
        assert!(matches!(refused, StoreError::Refused(_)), "{refused:?}");
        daemon.kill();
        assert!(client.write("/a", b"").is_err());
        daemon.start_again();
        daemon.create(&Domain::new(7, 7, "web01"));
    }
}

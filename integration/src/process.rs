//! A child process that ends with its value.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait;

/// A running program. What it says on stderr goes to a file; dropped, it is killed, and when a
/// test is failing, the end of that file is printed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`. Its stderr goes to the end of `NAME.log` in `folder`; stdin and stdout are nothing
    /// unless `command` says otherwise before.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let stderr = File::options().append(true).create(true).open(&log);
        let stderr = stderr.expect("a writable folder");
        let child = command
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|err| panic!("{}: {err}", command.get_program().display()));
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// Starts `command` without stdin and stdout.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_silent(name: &str, command: &mut Command, folder: &Path) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self::start(name, command, folder)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on stderr so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Fails when it has ended.
    ///
    /// # Panics
    /// With how it ended.
    pub fn expect_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("our own child") {
            panic!("{} ended: {status}", self.name);
        }
    }

    /// Asks it to stop (SIGTERM), and waits until it has.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("our own child, not waited for yet");
        wait::until("a program stops when told to", || {
            self.child.try_wait().expect("our own child")
        })
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it does not.
    pub fn await_end(&mut self) -> ExitStatus {
        wait::until("a program ends", || {
            self.child.try_wait().expect("our own child")
        })
    }

    /// Kills it and waits until it is gone.
    ///
    /// # Panics
    /// When the system does not let us.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// Its stdin, if `command` made it a pipe.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its stdout, if `command` made it a pipe.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    fn report(&self) {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let from = lines.len().saturating_sub(LINES_REPORTED);
        eprintln!("--- {} on stderr:", self.name);
        for line in lines.get(from..).unwrap_or_default() {
            eprintln!("    {line}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.report();
        }
    }
}

/// Lines of a log that are printed when a test fails.
const LINES_REPORTED: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_on_stderr_is_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo hello >&2; exec cat"])
            .stdin(Stdio::piped());
        let mut process = Process::start("talker", &mut command, folder.path());
        wait::until("a line", || process.log().contains("hello\n").then_some(()));
        process.expect_running();
        assert!(!process.stop().success(), "ended by the signal");
    }
}

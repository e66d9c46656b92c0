//! A server that runs.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;

use super::plan::PeerPlan;
use super::report::{PeerReport, handshakes, lines};
use crate::process::Process;
use crate::{pki, wait};

/// A running server on 127.0.0.1. It serves one connection after the other.
#[derive(Debug)]
pub struct Peer {
    // Before the folder, so that it ends before its files go.
    _process: Process,
    port: u16,
    said: PathBuf,
    _folder: TempDir,
}

impl Peer {
    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// When it cannot be built or does not start.
    #[must_use]
    pub fn start(plan: &PeerPlan<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = plan.credential.write(folder.path(), "server");
        let ca = pki::write(folder.path(), "ca.pem", &plan.clients.pem());
        let said = folder.path().join("said.txt");
        let mut command = plan.program.command();
        command
            .arg(&files.certificate)
            .arg(&files.key)
            .arg(&ca)
            .arg(plan.version)
            .args(&plan.misbehaviour)
            .stdin(Stdio::null())
            .stdout(File::create(&said).expect("a writable folder"));
        let name = plan.program.name();
        let mut process = Process::start(name, &mut command, folder.path());
        let port = wait::until("a server listens", || {
            process.expect_running();
            let text = fs::read_to_string(&said).expect("our own file");
            lines(&text, "listening").first()?.parse().ok()
        });
        Self {
            _process: process,
            port,
            said,
            _folder: folder,
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the report of the `number`th complete handshake, from 0 on.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn report(&self, number: usize) -> PeerReport {
        wait::until("report of a handshake", || {
            handshakes(&self.said()).into_iter().nth(number)
        })
    }

    /// The reports so far.
    #[must_use]
    pub fn reports(&self) -> Vec<PeerReport> {
        handshakes(&self.said())
    }

    /// Waits until it has said `word` once more than `number` times, and returns what it said then.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn line(&self, word: &str, number: usize) -> String {
        wait::until(&format!("a server says {word}"), || {
            let text = self.said();
            lines(&text, word).get(number).map(|&line| line.to_owned())
        })
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).expect("our own file")
    }
}

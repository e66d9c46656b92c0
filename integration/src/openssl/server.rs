//! Starting `openssl s_server` and talking through it.

use std::fs::File;
use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use super::output::Output;
use super::report::{self, ConnectionReport};
use crate::pki::{self, Authority, Credential, Pki};
use crate::process::Process;
use crate::wait;

/// What a server does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Sends what it is given and keeps what it gets, and reports each connection.
    #[default]
    Raw,
    /// Answers any HTTP request with a page about the connection.
    Page,
}

/// How a server is to be.
#[derive(Debug, Clone)]
pub struct ServerPlan<'a> {
    credential: &'a Credential,
    clients: Option<&'a Authority>,
    cipher: Option<String>,
    version: Option<&'static str>,
    mode: Mode,
    options: Vec<String>,
}

impl<'a> ServerPlan<'a> {
    /// A server in [`Mode::Raw`] with any TLS 1.2 suite that fits its key.
    #[must_use]
    pub fn new(credential: &'a Credential) -> Self {
        Self {
            credential,
            clients: None,
            cipher: None,
            version: Some("-tls1_2"),
            mode: Mode::default(),
            options: Vec::new(),
        }
    }

    /// Takes only clients of this CA, instead of those of the PKI's.
    #[must_use]
    pub fn clients_of(mut self, authority: &'a Authority) -> Self {
        self.clients = Some(authority);
        self
    }

    /// Only this suite, by OpenSSL's name.
    #[must_use]
    pub fn cipher(mut self, cipher: &str) -> Self {
        self.cipher = Some(cipher.to_owned());
        self
    }

    /// TLS 1.3 instead of TLS 1.2.
    #[must_use]
    pub fn tls13(mut self) -> Self {
        self.version = Some(TLS13);
        self
    }

    /// TLS 1.2 and TLS 1.3.
    #[must_use]
    pub fn both_versions(mut self) -> Self {
        self.version = None;
        self
    }

    /// What it does with a connection.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// One more option for `openssl s_server`.
    #[must_use]
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }
}

/// A running `openssl s_server`: TLS 1.2 unless planned otherwise, on 127.0.0.1, refusing clients without a certificate
/// of the CA.
///
/// It serves one connection after the other.
#[derive(Debug)]
pub struct OpensslServer {
    // Before the folder, so that it ends before its files go.
    process: Process,
    stdin: Mutex<ChildStdin>,
    output: Output,
    port: u16,
    _folder: TempDir,
}

impl OpensslServer {
    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// When there is no `openssl`, or it does not start.
    #[must_use]
    pub fn start(pki: &Pki, plan: &ServerPlan<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = plan.credential.write(folder.path(), "server");
        let ca = pki::write(
            folder.path(),
            "ca.pem",
            &plan.clients.unwrap_or(&pki.ca).pem(),
        );
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-accept", "127.0.0.1:0"])
            .args(plan.version)
            .args(["-Verify", "2", "-verify_return_error", "-CAfile"])
            .arg(&ca)
            .arg("-cert")
            .arg(&files.certificate)
            .arg("-key")
            .arg(&files.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(cipher) = &plan.cipher {
            let is_tls13 = plan.version == Some(TLS13);
            let option = if is_tls13 { "-ciphersuites" } else { "-cipher" };
            command.args([option, cipher]);
        }
        if plan.mode == Mode::Page {
            command.arg("-www");
        }
        command.args(&plan.options);
        require_openssl();
        let mut process = Process::start("openssl", &mut command, folder.path());
        let stdin = process.stdin().expect("piped");
        let output = Output::collect(process.stdout().expect("piped"));
        // `ACCEPT 127.0.0.1:35963`
        let port = output.until("it listens", |printed| {
            let (_, rest) = printed.text.split_once("ACCEPT ")?;
            let (address, _) = rest.split_once('\n')?;
            let (_, port) = address.rsplit_once(':')?;
            port.parse().ok()
        });
        Self {
            process,
            stdin: Mutex::new(stdin),
            output,
            port,
            _folder: folder,
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends `data`, made by [`crate::payload`], to the client that is connected or connects
    /// next. Returns when the server has taken it all.
    ///
    /// # Panics
    /// When the server has ended.
    pub fn send(&self, data: &[u8]) {
        let mut stdin = self.stdin.lock().expect("no sender failed");
        stdin.write_all(data).expect("the server runs");
    }

    /// Makes the server ask the connected client to renegotiate.
    ///
    /// # Panics
    /// When the server has ended.
    pub fn renegotiate(&self) {
        self.send(b"r\n");
    }

    /// Has the server update its keys, which takes TLS 1.3; `and_ours` asks for the client's as
    /// well. It looks at commands before it looks at clients: whatever a client sends from now on
    /// comes after.
    ///
    /// # Panics
    /// When the server has ended.
    pub fn update_keys(&self, and_ours: bool) {
        self.send(if and_ours { b"K\n" } else { b"k\n" });
    }

    /// Waits for `length` more bytes of payload from clients, and takes them.
    ///
    /// # Panics
    /// When they do not come.
    #[must_use]
    pub fn receive(&self, length: usize) -> Vec<u8> {
        self.output.until("data of a client", |printed| {
            let is_there = printed.data.len() >= length;
            is_there.then(|| printed.data.drain(..length).collect())
        })
    }

    /// How many bytes of payload came that nobody has taken yet.
    #[must_use]
    pub fn unreceived(&self) -> usize {
        self.output.look(|printed| printed.data.len())
    }

    /// Waits for the report of the `number`th complete handshake, from 0 on; [`Mode::Raw`] only.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn report(&self, number: usize) -> ConnectionReport {
        self.output.until("report of a handshake", |printed| {
            report::parse(&printed.text).into_iter().nth(number)
        })
    }

    /// The reports so far.
    #[must_use]
    pub fn reports(&self) -> Vec<ConnectionReport> {
        self.output.look(|printed| report::parse(&printed.text))
    }

    /// Waits until the server has got `count` alerts that ended a handshake.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_alerts(&self, count: usize) {
        wait::until("an alert for the server", || {
            (self.log().matches("SSL alert number").count() >= count).then_some(())
        });
    }

    /// Waits until it has said `text` on stderr.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_logged(&self, text: &str) {
        wait::until("words of the server", || {
            self.log().contains(text).then_some(())
        });
    }

    /// What it has said on stderr: its checks of client certificates, and errors.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Fails with what to do when there is no `openssl`.
fn require_openssl() {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| File::open(folder.join("openssl")).is_ok())
    });
    assert!(found, "openssl is not in the PATH: run make deps");
}

/// The option for TLS 1.3 alone.
const TLS13: &str = "-tls1_3";

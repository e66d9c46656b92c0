//! What an administrator would build today: the key in SoftHSM, `p11-kit server` in front of it on a
//! Unix socket, and OpenSSL's engine at its other end.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use integration::pki::{self, CredentialFiles, KeyKind, Pki};
use integration::process::Process;
use integration::wait;
use tempfile::TempDir;

use super::case::Version;
use super::client::{Client, Work};
use crate::NAME;
use crate::figures::Times;

/// A token with one key, and the server that lends it out.
pub(super) struct Pkcs11 {
    // Before the folder, so that it ends before its files go.
    _server: Process,
    socket: PathBuf,
    /// The module at the clients' end.
    module: PathBuf,
    program: PathBuf,
    files: CredentialFiles,
    ca: PathBuf,
    folder: TempDir,
}

impl Pkcs11 {
    /// Puts a new client's key into a new token. `None` where the packages are not installed, which
    /// is said on stderr.
    pub(super) fn start(pki: &Pki, key: KeyKind) -> Option<Self> {
        match Self::try_start(pki, key) {
            Ok(started) => Some(started),
            Err(why) => {
                eprintln!("SKIPPED: the key behind PKCS#11: {why} (scripts/deps bench)");
                None
            }
        }
    }

    fn try_start(pki: &Pki, key: KeyKind) -> Result<Self, String> {
        let hsm = find(&["/usr/lib/softhsm"], "libsofthsm2.so")?;
        let module = find(&["/usr/lib", "/usr/lib64"], "p11-kit-client.so")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("pkcs11-client/build");
        let program = run(&mut Command::new(script))?;

        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        let ca = pki::write(path, "ca.pem", &pki.ca.pem());
        let files = pki.identity("pkcs11", key).write(path, "client");
        let tokens = path.join("tokens");
        fs::create_dir(&tokens).expect("a writable folder");
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        let config = pki::write(path, "softhsm2.conf", &text);
        let softhsm = |arguments: &[&str]| {
            let mut command = Command::new("softhsm2-util");
            run(command.args(arguments).env("SOFTHSM2_CONF", &config))
        };
        let init = ["--init-token", "--free", "--so-pin", PIN];
        softhsm(&[&init[..], &["--label", LABEL, "--pin", PIN]].concat())?;
        let key_file = files.key.to_str().expect("UTF-8");
        let import = ["--import", key_file, "--token", LABEL, "--pin", PIN];
        softhsm(&[&import[..], &["--label", LABEL, "--id", "01"]].concat())?;

        let socket = path.join("p11-kit.sock");
        let mut server = Command::new("p11-kit");
        server
            .args(["server", "--foreground", "--provider"])
            .arg(hsm)
            .arg("--name")
            .arg(address(&socket))
            .arg(format!("pkcs11:token={LABEL}"))
            .env("SOFTHSM2_CONF", &config)
            .env("XDG_RUNTIME_DIR", path);
        let mut process = Process::start_silent("p11-kit", &mut server, path);
        wait::until("p11-kit server listens", || {
            process.expect_running();
            socket.exists().then_some(())
        });
        Ok(Self {
            _server: process,
            socket,
            module,
            program: program.into(),
            files,
            ca,
            folder,
        })
    }

    /// A client program of its own with a connection of its own to the token, which it has opened:
    /// `p11-kit server` refuses some of many that come at once. `None` when it is refused again and
    /// again, which is said on stderr.
    pub(super) fn client(&self, port: u16, version: Version) -> Option<Pkcs11Client> {
        for _ in 0..ATTEMPTS {
            let mut client = self.start_client(port, version);
            match client.line() {
                Ok(line) if line == "ready" => return Some(client),
                _ => drop(client.process.await_end()),
            }
        }
        let said = fs::read_to_string(self.folder.path().join("pkcs11-client.log"));
        let said = said.unwrap_or_default();
        let last = said.lines().last().unwrap_or_default();
        eprintln!("SKIPPED: as many keys behind PKCS#11 at once: {last}");
        None
    }

    fn start_client(&self, port: u16, version: Version) -> Pkcs11Client {
        let mut command = Command::new(&self.program);
        command
            .arg(port.to_string())
            .arg(NAME)
            .arg(&self.ca)
            .arg(&self.files.certificate)
            .arg(format!(
                "pkcs11:token={LABEL};object={LABEL};type=private?pin-value={PIN}"
            ))
            .arg(&self.module)
            .arg(match version {
                Version::Tls12 => "1.2",
                Version::Tls13 => "1.3",
            })
            .env("P11_KIT_SERVER_ADDRESS", address(&self.socket))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::start("pkcs11-client", &mut command, self.folder.path());
        let stdin = process.stdin().expect("piped");
        let stdout = BufReader::new(process.stdout().expect("piped"));
        Pkcs11Client {
            process,
            stdin,
            stdout,
        }
    }
}

/// The program that makes the handshakes.
pub(super) struct Pkcs11Client {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Pkcs11Client {
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn order(&mut self, what: &str, number: u128) -> io::Result<()> {
        writeln!(self.stdin, "{what} {number}")?;
        self.stdin.flush()
    }
}

impl Client for Pkcs11Client {
    fn prepare(&mut self) {
        let _ = self.work(Work::Count(1));
    }

    fn work(&mut self, work: Work) -> Times {
        let ordered = match work {
            Work::Count(count) => self.order("count", count as u128),
            Work::For(time) => self.order("for", time.as_millis()),
        };
        ordered.expect("it reads");
        let mut times = Times::default();
        loop {
            let line = self.line();
            let line = line.unwrap_or_else(|_| panic!("it ended: {}", self.process.log()));
            match line.as_str() {
                "." => return times,
                nanos => times.add(Duration::from_nanos(nanos.parse().expect("a number"))),
            }
        }
    }
}

/// As p11-kit names it.
fn address(socket: &Path) -> String {
    format!("unix:path={}", socket.display())
}

/// A file of that name, at most two folders below one of these.
fn find(roots: &[&str], name: &str) -> Result<PathBuf, String> {
    fn look(folder: &Path, name: &str, depth: usize) -> Option<PathBuf> {
        let file = folder.join(name);
        if file.is_file() {
            return Some(file);
        }
        let depth = depth.checked_sub(1)?;
        let entries = fs::read_dir(folder).ok()?;
        let folders = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_dir());
        let mut found = folders.filter_map(|folder| look(&folder, name, depth));
        found.next()
    }
    let mut found = roots
        .iter()
        .filter_map(|root| look(Path::new(root), name, 2));
    found.next().ok_or_else(|| format!("no {name}"))
}

/// What a command prints, if it goes well.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()),
        false => Err(format!(
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        )),
    }
}

/// How often a client may be refused.
const ATTEMPTS: usize = 5;
const LABEL: &str = "bench";
const PIN: &str = "1234";

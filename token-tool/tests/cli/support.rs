//! A directory with what an operator has, and the programs run in it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const VM: &str = "7e55e2a0-0000-4000-8000-000000000007";

/// What `openssl genpkey` needs for each kind of HV key, and the algorithm a token then has.
pub(crate) const KINDS: [(&str, &str); 3] = [
    ("rsa -pkeyopt rsa_keygen_bits:2048", "PS256"),
    ("ec -pkeyopt ec_paramgen_curve:P-256", "ES256"),
    ("ed25519", "EdDSA"),
];

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Of one that did what it was asked for.
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Its JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it failed with `code` and a reason that contains `says`.
    pub(crate) fn failed(&self, code: i32, says: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(says), "{says:?} in {self:?}");
    }
}

/// The program.
pub(crate) fn token_tool() -> Command {
    Command::new(env!("CARGO_BIN_EXE_token-tool"))
}

/// A directory that goes when it is dropped. Programs run in it.
pub(crate) struct Dir(TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    /// With an HV of that kind (`hv.key.pem`, `hv.cert.pem`), a certificate of a VM (`vm.pem`,
    /// `vm.der`) and the key of its agent (`agent.pub`).
    pub(crate) fn of_operator(genpkey: &str) -> Self {
        let dir = Self::new();
        dir.hv(genpkey, "hv");
        dir.openssl("genpkey -algorithm ed25519 -out vm.key");
        dir.openssl("req -x509 -key vm.key -out vm.pem -subj /CN=web01 -days 90");
        dir.openssl("x509 -in vm.pem -outform DER -out vm.der");
        dir.openssl("genpkey -algorithm ed25519 -out agent.key");
        dir.openssl("pkey -in agent.key -pubout -out agent.pub");
        dir
    }

    pub(crate) fn hv(&self, genpkey: &str, name: &str) {
        self.openssl(&format!("genpkey -out {name}.key.pem -algorithm {genpkey}"));
        let certificate = format!("-out {name}.cert.pem -subj /CN={name} -days 90");
        self.openssl(&format!("req -x509 -key {name}.key.pem {certificate}"));
        self.set_mode(&format!("{name}.key.pem"), 0o600);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("the directory is there");
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        let metadata = fs::metadata(self.path(name)).expect("it is there");
        metadata.permissions().mode() & 0o777
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path(name), mode).expect("it is there");
    }

    /// Names of all files, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the directory is there");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Runs `token-tool` with these words.
    pub(crate) fn run(&self, arguments: &str) -> Said {
        self.run_with_input(arguments, b"")
    }

    pub(crate) fn run_with_input(&self, arguments: &str, input: &[u8]) -> Said {
        let mut command = token_tool();
        command.args(arguments.split_whitespace());
        self.say(command, input)
    }

    /// Runs `token-tool issue` with what [`Self::of_operator`] made, and with `more`.
    pub(crate) fn issue(&self, more: &str) -> Said {
        let hv = "--hv-cert hv.cert.pem --hv-key hv.key.pem";
        self.run(&format!(
            "issue {hv} --vm {VM} --agent-key agent.pub {more}"
        ))
    }

    pub(crate) fn openssl(&self, arguments: &str) -> String {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace());
        self.say(command, b"").good().out
    }

    pub(crate) fn say(&self, mut command: Command, input: &[u8]) -> Said {
        let mut program = command
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdin = program.stdin.take().expect("piped");
        // A program that has its answer already does not read.
        let _ = stdin.write_all(input);
        drop(stdin);
        let output = program.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said {
            code: output.status.code().expect("not by a signal"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

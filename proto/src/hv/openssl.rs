//! HV keys and certificates made by OpenSSL, for tests: files as an operator may bring them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{HvCertificate, SoftwareHvKey};

/// A key and its self-signed certificate, in files.
pub(crate) struct HvFiles(TempDir);

impl HvFiles {
    /// `genpkey` is what follows `openssl genpkey -algorithm`.
    pub(crate) fn make(genpkey: &str) -> Self {
        let files = Self(TempDir::new().expect("a directory"));
        files.openssl(&format!("genpkey -out key.pem -algorithm {genpkey}"), b"");
        files.openssl(
            "req -x509 -key key.pem -out cert.pem -subj /CN=hv1 -days 30",
            b"",
        );
        files
    }

    /// Runs `openssl` in the directory and returns what it prints.
    pub(crate) fn openssl(&self, arguments: &str, input: &[u8]) -> Vec<u8> {
        let mut openssl = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed");
        let mut stdin = openssl.stdin.take().expect("piped");
        stdin.write_all(input).expect("openssl reads");
        drop(stdin);
        let output = openssl.wait_with_output().expect("openssl ends");
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {why}");
        output.stdout
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).expect("the file is there")
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.0.path().join(name), content).expect("the directory is there");
    }

    pub(crate) fn certificate(&self) -> HvCertificate {
        HvCertificate::from_pem(&self.read("cert.pem")).expect("a good certificate")
    }

    pub(crate) fn key(&self) -> SoftwareHvKey {
        SoftwareHvKey::from_pem(&self.read("key.pem"), None).expect("a good key")
    }
}

/// What `openssl genpkey` needs for each kind of HV key, and what the kind is called here.
pub(crate) const KINDS: [(&str, &str); 4] = [
    ("rsa -pkeyopt rsa_keygen_bits:2048", "RSA 2048"),
    ("rsa -pkeyopt rsa_keygen_bits:3072", "RSA 3072"),
    ("ec -pkeyopt ec_paramgen_curve:P-256", "P-256"),
    ("ed25519", "Ed25519"),
];

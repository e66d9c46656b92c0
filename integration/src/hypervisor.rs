//! A host's HV key and the tokens that are signed with it, made by `token-tool` as an operator
//! would, and the channel keys of guests, made by `domu-agent enroll`.

use std::path::{Path, PathBuf};
use std::process::Command;

use proto::hv::{HvCertificate, SoftwareHvKey};

use crate::binaries;

/// An HV key with its certificate, as files.
#[derive(Debug, Clone)]
pub struct Hypervisor {
    folder: PathBuf,
}

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct TokenPlan<'a> {
    /// Whom it names.
    pub vm: &'a str,
    /// The files of the certificates it allows.
    pub certificates: Vec<PathBuf>,
    /// The file of the channel's public key.
    pub agent_key: PathBuf,
}

impl Hypervisor {
    /// Makes a key in `folder/name`.
    ///
    /// # Panics
    /// When `token-tool` does not make it.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        let folder = folder.join(name);
        let mut command = binaries::token_tool();
        command.args(["keygen", "--name", name, "--alg", "p256", "--out"]);
        run(command.arg(&folder));
        Self { folder }
    }

    /// The key that somebody else has made in `folder/name`, under the same names.
    #[must_use]
    pub fn found(folder: &Path, name: &str) -> Self {
        let folder = folder.join(name);
        Self { folder }
    }

    /// Its certificate, PEM.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.join("hv.cert.pem")
    }

    /// Its key, PKCS#8 PEM.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("hv.key.pem")
    }

    /// Its certificate.
    ///
    /// # Panics
    /// When the file is gone or spoilt.
    #[must_use]
    pub fn certificate(&self) -> HvCertificate {
        let pem = std::fs::read(self.certificate_file()).expect("it was made");
        HvCertificate::from_pem(&pem).expect("it was made")
    }

    /// Its key, to sign by hand what `token-tool` would not.
    ///
    /// # Panics
    /// When the file is gone or spoilt.
    #[must_use]
    pub fn key(&self) -> SoftwareHvKey {
        let pem = std::fs::read(self.key_file()).expect("it was made");
        SoftwareHvKey::from_pem(&pem, None).expect("it was made")
    }

    /// What an agent's `hv_pins` say of it.
    #[must_use]
    pub fn pin(&self) -> String {
        let id = self.certificate().id().to_string();
        id.replace("hv:sha256:", "SHA256:")
    }

    /// Issues a token into `file`.
    ///
    /// # Panics
    /// When `token-tool` does not issue it.
    pub fn issue(&self, plan: &TokenPlan<'_>, file: &Path) {
        let mut command = binaries::token_tool();
        command
            .arg("issue")
            .arg("--hv-cert")
            .arg(self.certificate_file());
        command.arg("--hv-key").arg(self.key_file());
        command
            .args(["--vm", plan.vm])
            .arg("--agent-key")
            .arg(&plan.agent_key);
        for certificate in &plan.certificates {
            command.arg("--vm-cert").arg(certificate);
        }
        run(command.arg("--out").arg(file));
    }
}

/// Makes a channel key in `folder` by `domu-agent enroll`; gives the file of its public part.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn enroll(folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).expect("a folder that can be written");
    let mut command = binaries::agent();
    let public = run(command.arg("enroll").arg("--out").arg(folder));
    let file = folder.join("channel.pub.pem");
    std::fs::write(&file, public).expect("a folder that can be written");
    file
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("the program is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output.stdout
}

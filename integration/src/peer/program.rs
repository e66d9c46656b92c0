//! The servers, and how each comes to run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One server of `integration/peers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// By wolfSSL: TLS 1.2 and 1.3.
    WolfSsl,
    /// By mbedTLS 2.28: TLS 1.2.
    MbedTls,
    /// By tlslite-ng: TLS 1.2 and 1.3, and every misbehaviour; it does not judge certificates.
    TlsliteNg,
}

impl Program {
    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WolfSsl => "wolfssl",
            Self::MbedTls => "mbedtls",
            Self::TlsliteNg => "tlslite-ng",
        }
    }

    /// Whether it can run on this machine; says what is missed if not.
    ///
    /// # Panics
    /// When it cannot, and `TESSERA_REQUIRE_PEERS=1` says that it must.
    #[must_use]
    pub fn is_there(self) -> bool {
        // The others are Debian's, and what is missed of those is an error.
        if self != Self::TlsliteNg {
            return true;
        }
        match run("tlslite-ng", "path") {
            Ok(_) => true,
            Err(said) => {
                let must = std::env::var_os(REQUIRED).is_some_and(|value| value == "1");
                assert!(!must, "{REQUIRED}=1, and {said}");
                eprintln!("SKIPPED: {said}");
                false
            }
        }
    }

    /// The server, built if it has to be, ready to take its arguments.
    pub(super) fn command(self) -> Command {
        if self != Self::TlsliteNg {
            let built = run("build", self.name());
            let needed = "what it needs is in scripts/deps test";
            return Command::new(built.unwrap_or_else(|said| panic!("{said}\n{needed}")));
        }
        let packages = run("tlslite-ng", "path").unwrap_or_else(|said| panic!("{said}"));
        let mut python = Command::new("python3");
        python.arg("-B").arg(folder().join("misbehaving.py"));
        python.env("PYTHONPATH", packages);
        python
    }
}

/// With `1` in this variable a server that cannot be had is a failure.
const REQUIRED: &str = "TESSERA_REQUIRE_PEERS";

/// Runs a script of that folder, which prints a path; what it says on stderr if there is none.
fn run(script: &str, argument: &str) -> Result<PathBuf, String> {
    let output = Command::new(folder().join(script)).arg(argument).output();
    let output = output.expect("a script of ours");
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.trim_end().to_owned());
    }
    let path = String::from_utf8(output.stdout).expect("a path");
    Ok(path.trim_end().into())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

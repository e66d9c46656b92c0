//! `gnutls-serv`, which demands a client certificate and echoes, and what it reports: a second judge
//! from outside.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::pki::{self, Authority, Credential, Pki};
use crate::process::Process;
use crate::{ports, wait};

/// A running `gnutls-serv` on 127.0.0.1. It sends back, line by line, what it gets.
#[derive(Debug)]
pub struct GnutlsServer {
    // Before the folder, so that it ends before its files go.
    process: Process,
    port: u16,
    said: PathBuf,
    _folder: TempDir,
}

/// One connection as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GnutlsReport {
    /// `TLS1.2` or `TLS1.3`.
    pub version: String,
    /// `AES-256-GCM`.
    pub cipher: String,
    /// Whether the server resumed an earlier session.
    pub resumed: bool,
    /// Whether it trusts the client's certificate; it looks at it in full handshakes alone.
    pub trusted: bool,
    /// Subject of the client's certificate: `CN=web01`.
    pub client: Option<String>,
}

impl GnutlsServer {
    /// Starts a server with one version of TLS, `TLS1.2` or `TLS1.3`, and waits until it listens.
    ///
    /// # Panics
    /// When there is no `gnutls-serv`, or it does not start.
    #[must_use]
    pub fn start(pki: &Pki, credential: &Credential, version: &str) -> Self {
        Self::start_for(&pki.ca, credential, version)
    }

    /// The same for clients of this CA alone.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_for(clients: &Authority, credential: &Credential, version: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = credential.write(folder.path(), "server");
        let ca = pki::write(folder.path(), "ca.pem", &clients.pem());
        let said = folder.path().join("said.txt");
        let port = ports::two_free();
        let mut command = Command::new("gnutls-serv");
        command
            .args(["--echo", "--require-client-cert", "--verify-client-cert"])
            .args(["--port", &port.to_string()])
            .arg(format!("--priority=NORMAL:-VERS-ALL:+VERS-{version}"))
            .arg("--x509cafile")
            .arg(ca)
            .arg("--x509certfile")
            .arg(&files.certificate)
            .arg("--x509keyfile")
            .arg(&files.key)
            .stdin(Stdio::null())
            .stdout(File::create(&said).expect("a writable folder"));
        let found = Command::new("gnutls-serv").arg("--version").output();
        assert!(
            found.is_ok(),
            "gnutls-serv is not in the PATH: run scripts/deps test"
        );
        let process = Process::start("gnutls-serv", &mut command, folder.path());
        let mut server = Self {
            process,
            port,
            said,
            _folder: folder,
        };
        let listens = format!("port {port}...done");
        wait::until("gnutls-serv listens", || {
            server.process.expect_running();
            server.process.log().contains(&listens).then_some(())
        });
        server
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the report of the `number`th connection, from 0 on.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn report(&self, number: usize) -> GnutlsReport {
        wait::until("report of a connection", || {
            parse(&self.said()).into_iter().nth(number)
        })
    }

    fn said(&self) -> String {
        let bytes = fs::read(&self.said).expect("our own file");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// All connections that were reported in full.
fn parse(text: &str) -> Vec<GnutlsReport> {
    text.split(FIRST_LINE)
        .skip(1)
        .filter_map(parse_one)
        .collect()
}

fn parse_one(text: &str) -> Option<GnutlsReport> {
    let (report, _) = text.split_once(LAST_LINE)?;
    let after = |start: &str| {
        let found = report
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(start));
        found.map(str::to_owned)
    };
    Some(GnutlsReport {
        version: after("- Version: ")?,
        cipher: after("- Cipher: ")?,
        resumed: report.contains("This is a resumed session"),
        trusted: report.contains("The certificate is trusted."),
        client: after("Subject: "),
    })
}

const FIRST_LINE: &str = "* Accepted connection from";
const LAST_LINE: &str = "- Channel bindings";

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "\n* Accepted connection from IPv4 127.0.0.1 port 1 on Sat\n\
        - Status: The certificate is trusted. \n\tIssuer: CN=CA\n\tSubject: CN=web01\n\
        - Version: TLS1.2\n- Key Exchange: ECDHE-RSA\n- Cipher: AES-256-GCM\n\
        - Channel bindings\n - 'tls-unique': 00\n";

    #[test]
    fn connections_are_told_apart_and_an_unfinished_one_is_left_out() {
        let full = GnutlsReport {
            version: "TLS1.2".to_owned(),
            cipher: "AES-256-GCM".to_owned(),
            resumed: false,
            trusted: true,
            client: Some("CN=web01".to_owned()),
        };
        let resumed = FULL.replace(
            "- Status: The certificate is trusted",
            "*** This is a resumed session",
        );
        let text = format!("{FULL}{resumed}{}", &FULL[..120]);
        let again = GnutlsReport {
            resumed: true,
            trusted: false,
            ..full.clone()
        };
        assert_eq!(parse(&text), [full, again]);
        assert_eq!(parse(""), []);
    }
}

//! A user of the RACS server, by hand: TLS with a client certificate, lines out, responses in.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use tempfile::TempDir;

use crate::chain::Chain;
use crate::pki::{self, Authority, Credential, CredentialFiles, KeyKind, Pki};
use crate::racs_lines::RacsLines;
use crate::wait;

/// What a server of RACS needs beside a chain: its certificate and the CA of its users.
#[derive(Debug)]
pub struct RacsDesk {
    /// Issues users.
    pub users: Authority,
    /// Issued the server.
    server_ca: rustls::pki_types::CertificateDer<'static>,
    folder: TempDir,
}

/// Where a server has its files.
#[derive(Debug)]
pub struct ServerFiles {
    /// Its certificate.
    pub certificate: PathBuf,
    /// The key of that.
    pub key: PathBuf,
    /// The CA of its users.
    pub client_ca: PathBuf,
}

/// The name in the server's certificate.
pub const SERVER_NAME: &str = "grid.example";

impl RacsDesk {
    /// Makes certificates.
    ///
    /// # Panics
    /// When files cannot be written.
    #[must_use]
    pub fn new(pki: &Pki) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let users = Authority::new("Users of the grid");
        let server = pki.server(SERVER_NAME, KeyKind::P256);
        for_owner(&server, folder.path(), "racs");
        pki::write(folder.path(), "users.pem", &users.pem());
        pki::write(folder.path(), "ca.pem", &pki.ca.pem());
        Self {
            users,
            server_ca: pki.ca.certificate(),
            folder,
        }
    }

    /// The server's certificate and key, and the CA of its users.
    #[must_use]
    pub fn server_files(&self) -> ServerFiles {
        let at = |name: &str| self.folder.path().join(name);
        ServerFiles {
            certificate: at("racs.cert.pem"),
            key: at("racs.key.pem"),
            client_ca: at("users.pem"),
        }
    }

    /// The tables of the configuration: a server on a port that the system gives, with more keys of
    /// `[racs]`, and users.
    #[must_use]
    pub fn config(&self, keys: &str, users: &[&str]) -> String {
        self.config_at(0, keys, users)
    }

    /// The same on this port, which a host keeps when it is started again.
    #[must_use]
    pub fn config_at(&self, port: u16, keys: &str, users: &[&str]) -> String {
        let ServerFiles {
            certificate,
            key,
            client_ca,
        } = self.server_files();
        format!(
            "[racs]\nenabled = true\nlisten = \"127.0.0.1:{port}\"\ncertificate = {certificate:?}\n\
             key = {key:?}\nclient_ca = {client_ca:?}\n{keys}\n{}",
            users.concat()
        )
    }

    /// Writes a file that the configuration names.
    #[must_use]
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        pki::write(self.folder.path(), name, text)
    }

    /// The server's CA and a user's certificate and key as files.
    #[must_use]
    pub fn files_of(&self, user: &str) -> (PathBuf, CredentialFiles) {
        let folder = self.folder.path();
        let credential = self.users.identity(user, KeyKind::P256);
        (folder.join("ca.pem"), for_owner(&credential, folder, user))
    }

    /// A connection of this user.
    ///
    /// # Panics
    /// When the server does not let the user in.
    #[must_use]
    pub fn user(&self, chain: &Chain, name: &str) -> RacsUser {
        let credential = self.users.identity(name, KeyKind::P256);
        let user = self.connect(address(chain), Some(&credential));
        user.expect("the server lets the user in")
    }

    /// A connection with this certificate or none. In TLS 1.3 a server that refuses it is noticed with
    /// the first answer only.
    ///
    /// # Errors
    /// When it does not come about.
    ///
    /// # Panics
    /// Never with sound libraries.
    pub fn connect(&self, to: SocketAddr, shown: Option<&Credential>) -> io::Result<RacsUser> {
        let config = Arc::new(self.client_config(shown));
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        let mut tls = ClientConnection::new(config, name).expect("a client");
        let mut socket = TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(wait::PATIENCE))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(RacsUser::over(StreamOwned::new(tls, socket)))
    }

    /// What a user needs for TLS who shows this certificate, or none.
    ///
    /// # Panics
    /// Never with sound libraries.
    #[must_use]
    pub fn client_config(&self, shown: Option<&Credential>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.server_ca.clone()).expect("a CA");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        match shown {
            Some(shown) => config
                .with_client_auth_cert(vec![shown.certificate.clone()], shown.key())
                .expect("a credential"),
            None => config.with_no_client_auth(),
        }
    }
}

/// Writes a credential whose key only its owner may read.
pub fn for_owner(credential: &Credential, folder: &Path, stem: &str) -> CredentialFiles {
    let files = credential.write(folder, stem);
    let key = std::fs::read_to_string(&files.key).expect("just written");
    pki::write_secret(folder, &format!("{stem}.key.pem"), &key);
    files
}

/// Where the server of a chain listens.
///
/// # Panics
/// When it does not.
#[must_use]
pub fn address(chain: &Chain) -> SocketAddr {
    wait::until("the RACS server listens", || {
        let output = chain.admin(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        status["racs"]["listen"].as_str()?.parse().ok()
    })
}

/// A table of the configuration: what a user may do with one card.
#[must_use]
pub fn user_of(name: &str, cards: &[(&str, &str)]) -> String {
    let cards: String = cards
        .iter()
        .map(|(seid, more)| format!("[[racs.user.card]]\nseid = \"{seid}\"\n{more}\n"))
        .collect();
    format!("[[racs.user]]\nname = \"{name}\"\n{cards}")
}

/// All operations, for [`user_of`].
pub const ALL: &str = "operations = [\"inventory\", \"power\", \"apdu\"]";

/// A user who is connected.
pub type RacsUser = RacsLines<StreamOwned<ClientConnection, TcpStream>>;

impl RacsUser {
    /// Leaves as TLS has it.
    pub fn leave(mut self) {
        self.stream.conn.send_close_notify();
        // It may be gone already.
        let _ = self.stream.flush();
    }

    /// Sends without reading anything, as far as the server takes it.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let StreamOwned { conn, sock } = &mut self.stream;
        if !conn.wants_write() {
            // What has no room is left out.
            let _ = conn.writer().write(bytes)?;
        }
        sock.set_nonblocking(true)?;
        let pushed = loop {
            match conn.wants_write().then(|| conn.write_tls(sock)) {
                None => break Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Some(Err(error)) => break Err(error),
            }
        };
        sock.set_nonblocking(false)?;
        pushed
    }
}

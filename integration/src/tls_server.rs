//! A TLS server in threads of this process, for what `openssl s_server` cannot do: many connections
//! at once, and words of its own after the client's last.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

use crate::pki::{Credential, Pki};

/// A connection, at the server; its handshake is made with the first read or write.
pub type Connection = StreamOwned<ServerConnection, TcpStream>;

/// A server on 127.0.0.1 that refuses clients without a certificate of the CA. It runs as long as
/// the process.
#[derive(Debug)]
pub struct TlsServer {
    port: u16,
}

impl TlsServer {
    /// Starts a server of one TLS version. It calls `serve` for each connection, in a thread of its
    /// own; an error ends the connection and nothing else.
    ///
    /// # Panics
    /// When there is no port, or the credential is not one for a server.
    #[must_use]
    pub fn start(
        pki: &Pki,
        credential: &Credential,
        version: &'static SupportedProtocolVersion,
        serve: impl Fn(&mut Connection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let config = Arc::new(config(pki, credential, version));
        let serve = Arc::new(serve);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        thread::spawn(move || {
            for tcp in listener.incoming() {
                let tcp = tcp.expect("a client");
                // As servers do; else what follows waits for an answer to what came before.
                tcp.set_nodelay(true).expect("a socket");
                let tls = ServerConnection::new(config.clone()).expect("a good configuration");
                let mut connection = StreamOwned::new(tls, tcp);
                let serve = serve.clone();
                thread::spawn(move || {
                    let served = serve(&mut connection);
                    match served.and_then(|()| close(&mut connection)) {
                        // A client may leave without a word.
                        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                            eprintln!("TLS server: {error}");
                        }
                        _ => {}
                    }
                });
            }
        });
        Self { port }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Sends back what comes until the client's close_notify.
///
/// # Errors
/// When the connection breaks.
pub fn echo(connection: &mut Connection) -> io::Result<()> {
    let mut buffer = [0; 4_096];
    loop {
        match connection.read(&mut buffer)? {
            0 => return Ok(()),
            n => connection.write_all(buffer.get(..n).unwrap_or_default())?,
        }
        connection.flush()?;
    }
}

fn close(connection: &mut Connection) -> io::Result<()> {
    connection.conn.send_close_notify();
    connection.flush()
}

/// What a server of one TLS version needs, which demands a certificate of its clients.
///
/// # Panics
/// When the credential is not one for a server.
#[must_use]
pub fn config(
    pki: &Pki,
    credential: &Credential,
    version: &'static SupportedProtocolVersion,
) -> ServerConfig {
    let mut clients = RootCertStore::empty();
    clients.add(pki.ca.certificate()).expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(clients.into(), provider.clone());
    let verifier = verifier.build().expect("a CA");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("ring has suites of TLS 1.2 and 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![credential.certificate.clone()], credential.key())
        .expect("a key that fits");
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    config
}

/// Sessions that can be resumed: many clients at once do not push out each other's.
const SESSIONS: usize = 4_096;

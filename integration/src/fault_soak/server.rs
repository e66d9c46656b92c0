//! Servers that look whose certificate it is.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use rustls::version::{TLS12, TLS13};
use rustls_pki_types::CertificateDer;

use crate::pki::{KeyKind, Pki};
use crate::tls_server::{Connection, TlsServer};

/// The name of both.
pub(super) const NAME: &str = "www.example";

/// One server for each version of TLS. A client says who it is, `NAME NUMBER` in a line, and gets the
/// line back.
pub(super) struct Servers {
    ports: [u16; 2],
    strangers: Arc<Mutex<Vec<String>>>,
}

impl Servers {
    pub(super) fn start(
        pki: &Pki,
        allowed: BTreeMap<String, Vec<CertificateDer<'static>>>,
    ) -> Self {
        let credential = pki.server(NAME, KeyKind::P256);
        let allowed = Arc::new(allowed);
        let strangers = Arc::new(Mutex::default());
        let ports = [&TLS12, &TLS13].map(|version| {
            let (allowed, strangers) = (Arc::clone(&allowed), Arc::clone(&strangers));
            let serve = move |connection: &mut Connection| {
                let served = serve(connection, &allowed, &strangers);
                // Most that goes wrong here is meant to.
                served.map_err(|_| io::ErrorKind::UnexpectedEof.into())
            };
            TlsServer::start(pki, &credential, version, serve).port()
        });
        Self { ports, strangers }
    }

    /// Of TLS 1.2 and 1.3.
    pub(super) fn ports(&self) -> [u16; 2] {
        self.ports
    }

    /// Who came with a certificate that is not its own.
    pub(super) fn strangers(&self) -> Vec<String> {
        self.strangers.lock().expect("no server panicked").clone()
    }
}

fn serve(
    connection: &mut Connection,
    allowed: &BTreeMap<String, Vec<CertificateDer<'static>>>,
    strangers: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let line = read_line(connection)?;
    let shown = connection.conn.peer_certificates();
    let shown = shown.and_then(<[_]>::first);
    let name = line.split(' ').next().unwrap_or_default();
    let own = allowed.get(name).map_or(&[][..], Vec::as_slice);
    if !shown.is_some_and(|shown| own.contains(shown)) {
        let mut strangers = strangers.lock().expect("no server panicked");
        strangers.push(format!(
            "{line:?} came with a certificate that is not its own"
        ));
    }
    connection.write_all(line.as_bytes())?;
    connection.write_all(b"\n")?;
    connection.flush()?;
    match connection.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Reads to the end of a line, which is short.
pub(super) fn read_line(from: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < 100 {
        from.read_exact(&mut byte)?;
        if byte == *b"\n" {
            return String::from_utf8(line).map_err(io::Error::other);
        }
        line.extend(byte);
    }
    Err(io::ErrorKind::InvalidData.into())
}

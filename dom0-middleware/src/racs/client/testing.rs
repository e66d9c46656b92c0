//! A RACS server in the tests' own process: real TLS, and answers as the test says.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use proto::apdu::{CommandApdu, ResponseApdu};
use proto::id::Seid;
use proto::racs::{
    ApduCommand, Command, CommandNumber, FailureClass, RequestLine, SeidToken, StatusCode,
};
use proto::{hex, pem};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Grid, GridFiles, ServerRules, ServerTrust};
use crate::racs::session::{ElementRights, Order, Outcome, RacsSession, Rights, Step};

/// The name in the server's certificate.
pub(crate) const SERVER: &str = "grid.example";

/// A CA, a server and a user `host-a`, as files.
pub(crate) struct Pki {
    folder: TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(params, key).expect("sound");
        let folder = tempfile::tempdir().expect("a folder");
        let pki = Self { folder, ca };
        pki.write("ca.pem", &pki.ca.pem());
        pki.issue("host-a", "client", 2100);
        pki
    }

    /// Writes `{file}.pem` and `{file}.key`, good until that year.
    pub(crate) fn issue(&self, name: &str, file: &str, until: i32) {
        let (certificate, key) = self.certificate(name, until);
        self.write(
            &format!("{file}.pem"),
            &pem::encode("CERTIFICATE", &certificate),
        );
        self.write(&format!("{file}.key"), &key.serialize_pem());
    }

    fn certificate(&self, name: &str, until: i32) -> (Vec<u8>, KeyPair) {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.ca).expect("sound");
        (certificate.der().to_vec(), key)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn files(&self) -> GridFiles {
        GridFiles {
            certificate: self.path("client.pem"),
            key: self.path("client.key"),
            trust: ServerTrust::Ca(self.path("ca.pem")),
        }
    }

    /// A server that wants a client certificate of this CA.
    pub(crate) fn server(&self, until: i32) -> ServerTls {
        let (certificate, key) = self.certificate(SERVER, until);
        let pin = Sha256::digest(&certificate).into();
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).expect("a CA");
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let clients = clients.build().expect("a CA");
        let config = |versions: &[&'static SupportedProtocolVersion]| {
            let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(versions)
                .expect("versions")
                .with_client_cert_verifier(clients.clone())
                .with_single_cert(
                    vec![certificate.clone().into()],
                    PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
                );
            let mut config = config.expect("sound");
            config.session_storage = Arc::new(NoServerSessionStorage {});
            Arc::new(config)
        };
        ServerTls {
            both: config(&[&TLS13, &TLS12]),
            only12: config(&[&TLS12]),
            pin,
        }
    }

    /// A grid at this address, known by the CA.
    pub(crate) fn grid(&self, address: &str) -> Grid {
        Grid {
            address: address.parse().expect("an address"),
            server_name: SERVER.to_owned(),
            files: self.files(),
            rules: ServerRules::PUBLISHED,
        }
    }
}

/// What a server needs for TLS.
pub(crate) struct ServerTls {
    pub(crate) both: Arc<ServerConfig>,
    pub(crate) only12: Arc<ServerConfig>,
    pub(crate) pin: [u8; 32],
}

/// What a server does with a request.
pub(crate) enum Reply {
    /// It says this.
    Say(Vec<u8>),
    /// It says nothing, and waits for more.
    Nothing,
    /// It goes.
    Close,
}

/// Serves connections one after the other, each request being answered by `answer`, which is told the
/// connection's number. Returns its address.
pub(crate) fn serve(
    tls: Arc<ServerConfig>,
    mut answer: impl FnMut(usize, &str) -> Reply + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for (number, socket) in listener.incoming().enumerate() {
            let socket = socket.expect("a connection");
            let tls = ServerConnection::new(Arc::clone(&tls)).expect("sound");
            // A client that goes, or is refused, ends its connection alone.
            let _ = converse(socket, tls, |request| answer(number, request));
        }
    });
    address
}

fn converse(
    mut socket: TcpStream,
    mut tls: ServerConnection,
    mut answer: impl FnMut(&str) -> Reply,
) -> std::io::Result<()> {
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    let mut buffer = vec![0; 20_000];
    loop {
        let got = match stream.read(&mut buffer)? {
            0 => return Ok(()),
            got => got,
        };
        // A published server would misread what is cut in two.
        let request = str::from_utf8(&buffer[..got]).expect("ASCII");
        assert!(
            request.starts_with("BEGIN") && request.ends_with("END\r\n"),
            "{request}"
        );
        for line in request.lines() {
            assert!(line.split(' ').count() <= 9, "{line}");
        }
        match answer(request) {
            Reply::Say(bytes) => stream.write_all(&bytes)?,
            Reply::Nothing => {}
            Reply::Close => return Ok(()),
        }
    }
}

/// A grid with one element, by the rules of published servers.
pub(crate) struct TinyGrid<C> {
    pub(crate) seid: &'static str,
    pub(crate) card: C,
    pub(crate) powered: bool,
}

impl<C: FnMut(Option<&CommandApdu>) -> ResponseApdu> TinyGrid<C> {
    /// Answers a request; `card` is given `None` for a reset.
    pub(crate) fn answer(&mut self, request: &str) -> Reply {
        let mut label = String::new();
        let mut said = String::new();
        let lines: Vec<&str> = request.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let line = RequestLine::parse(line.as_bytes()).expect("a good line");
            let RequestLine::Command(line) = line else {
                if let RequestLine::Begin(Some(begun)) = line {
                    label = begun.to_string();
                }
                continue;
            };
            match self.command(&line.command) {
                Ok(text) => {
                    let code = StatusCode::success(line.command.number());
                    if line.append || number + 2 == lines.len() {
                        said += &format!("{code} {number:03} {text}\r\n");
                    }
                }
                Err((code, text)) => {
                    said = format!("{code} {number:03} {text}\r\n");
                    break;
                }
            }
        }
        Reply::Say(format!("BEGIN {label}\r\n{said}END\r\n").into_bytes())
    }

    fn command(&mut self, command: &Command) -> Result<String, (StatusCode, &'static str)> {
        let failure = |class| StatusCode::failure(class, command.number());
        let known = |seid: &SeidToken| match seid.as_str() == self.seid {
            true => Ok(()),
            false => Err((failure(FailureClass::Parameter), "invalid SEID")),
        };
        match command {
            Command::List => Ok(format!("{} ", self.seid)),
            Command::PowerOn(seid) => {
                known(seid)?;
                if self.powered {
                    return Ok("warning SEID was already powered, POWERON ignored".to_owned());
                }
                (self.card)(None);
                self.powered = true;
                Ok("SEID has been powered on".to_owned())
            }
            Command::Reset { seid, .. } => {
                known(seid)?;
                (self.card)(None);
                Ok("has been reset".to_owned())
            }
            Command::Apdu(apdu) => {
                known(&apdu.seid)?;
                if !self.powered {
                    return Err((failure(FailureClass::InUse), "powered off"));
                }
                let answer = self.run(apdu);
                if apdu.continue_on.is_some_and(|sw| sw != answer.sw) {
                    return Err((failure(FailureClass::Execution), "APDU wrong status"));
                }
                let mut bytes = answer.data().to_vec();
                bytes.extend(answer.sw.0.to_be_bytes());
                let digits = hex::encode_upper(&bytes);
                Ok(String::from_utf8(digits.to_vec()).expect("digits"))
            }
            _ => Err((
                StatusCode::failure(FailureClass::UnknownCommand, CommandNumber::None),
                "unknown",
            )),
        }
    }

    /// One command, and what fetches the rest of its answer while there is MORE.
    fn run(&mut self, apdu: &ApduCommand) -> ResponseApdu {
        let mut answer = (self.card)(Some(&apdu.command));
        let mut data = answer.data().to_vec();
        while apdu.more == Some(answer.sw.sw1()) {
            let [cla, ins, p1, p2] = apdu.fetch;
            let le = match answer.sw.sw2() {
                0 => 256,
                le => le.into(),
            };
            let fetch = CommandApdu::new(cla, ins, p1, p2).with_le(le);
            answer = (self.card)(Some(&fetch));
            data.extend_from_slice(answer.data());
        }
        ResponseApdu::new(data, answer.sw)
    }
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// A grid with one element by the machine of our own server.
pub(crate) struct OurGrid<C> {
    session: RacsSession,
    seid: Seid,
    pub(crate) card: C,
}

impl<C: FnMut(Option<&CommandApdu>) -> ResponseApdu> OurGrid<C> {
    pub(crate) fn new(seid: &str, card: C) -> Self {
        let seid: Seid = seid.parse().expect("a name");
        let session = Self::session(&seid);
        Self {
            session,
            seid,
            card,
        }
    }

    /// The next connection.
    pub(crate) fn connected(&mut self) {
        self.session = Self::session(&self.seid);
    }

    fn session(seid: &Seid) -> RacsSession {
        RacsSession::new(Rights::from_iter([(seid.clone(), ElementRights::all())]))
    }

    /// Answers a request; the card is given `None` for a reset.
    pub(crate) fn answer(&mut self, request: &str) -> Reply {
        let mut said = Vec::new();
        self.session.take(request.as_bytes());
        loop {
            match self.session.next_step() {
                Step::NeedBytes => return Reply::Say(said),
                Step::Respond(response) => said.extend_from_slice(&response),
                Step::Do(order) => {
                    let outcome = self.outcome(order);
                    self.session.on_outcome(outcome);
                }
                Step::Close => return Reply::Close,
            }
        }
    }

    fn outcome(&mut self, order: Order) -> Outcome {
        match order {
            Order::List => Outcome::List(vec![self.seid.clone()]),
            Order::PowerOn(_) => {
                (self.card)(None);
                Outcome::Powered { bound: false }
            }
            Order::Reset { .. } => {
                (self.card)(None);
                Outcome::Done
            }
            Order::Shutdown(_) => Outcome::Done,
            Order::Transmit { command, .. } => Outcome::Answer((self.card)(Some(&command))),
        }
    }
}

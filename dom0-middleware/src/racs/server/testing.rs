//! A grid of cards in memory, a server of it, and users.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::apdu::{CommandApdu, ResponseApdu, StatusWord};
use proto::id::Seid;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::runtime::Runtime;

use super::super::session::{ElementRights, RacsRefusal};
use super::*;
use crate::audit::AuditEvent;

/// Cards, and who has them.
#[derive(Clone, Default)]
pub(in crate::racs) struct TestGrid(Arc<(Mutex<Cards>, Condvar)>);

#[derive(Default)]
pub(in crate::racs) struct Cards {
    cards: BTreeMap<Seid, TestState>,
    /// Closed: a card that is told [`WAIT`] does.
    pub(in crate::racs) gate_is_open: bool,
    /// APDUs that cards were sent.
    pub(in crate::racs) apdus: usize,
}

#[derive(Default)]
struct TestState {
    lent: bool,
    recalled: bool,
}

/// One of them, lent.
pub(in crate::racs) struct TestCard {
    grid: TestGrid,
    seid: Seid,
}

/// Instructions of these cards: any other is answered with its data.
pub(in crate::racs) const WAIT: u8 = 0x51;
pub(super) const PANIC: u8 = 0x52;
pub(super) const FAIL: u8 = 0x53;
pub(super) const LEAVE: u8 = 0x54;

impl TestGrid {
    pub(in crate::racs) fn with(seids: &[&str]) -> Self {
        let grid = Self::default();
        for name in seids {
            grid.cards().cards.insert(seid(name), TestState::default());
        }
        grid
    }

    pub(in crate::racs) fn cards(&self) -> MutexGuard<'_, Cards> {
        // A card of these panics when it is told to.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::racs) fn open_gate(&self) {
        self.cards().gate_is_open = true;
        self.0.1.notify_all();
    }

    pub(super) fn recall(&self, name: &str) {
        let mut cards = self.cards();
        cards.cards.get_mut(&seid(name)).expect("a card").recalled = true;
    }

    pub(in crate::racs) fn is_lent(&self, name: &str) -> bool {
        self.cards().cards.get(&seid(name)).expect("a card").lent
    }
}

impl Grid for TestGrid {
    type Card = TestCard;

    fn present(&self) -> Result<Vec<Seid>, RacsRefusal> {
        Ok(self.cards().cards.keys().cloned().collect())
    }

    fn lend(&self, seid: &Seid, _: &str) -> Result<Lent<TestCard>, RacsRefusal> {
        let mut cards = self.cards();
        let state = cards.cards.get_mut(seid).ok_or(RacsRefusal::Absent)?;
        if std::mem::replace(&mut state.lent, true) {
            return Err(RacsRefusal::InUse);
        }
        state.recalled = false;
        let card = TestCard {
            grid: self.clone(),
            seid: seid.clone(),
        };
        Ok(Lent { card, bound: false })
    }

    fn is_free(&self, seid: &Seid) -> Result<(), RacsRefusal> {
        let cards = self.cards();
        match cards.cards.get(seid) {
            Some(state) if state.lent => Err(RacsRefusal::InUse),
            _ => Ok(()),
        }
    }
}

impl Element for TestCard {
    fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, Fault> {
        if self.is_recalled() {
            return Err(Fault::Recalled);
        }
        let mut cards = self.grid.cards();
        cards.apdus += 1;
        match command.ins {
            WAIT => {
                let gate = &self.grid.0.1;
                let open = gate.wait_while(cards, |cards| !cards.gate_is_open);
                drop(open);
            }
            PANIC => panic!("as the test wants"),
            FAIL => return Err(Fault::Failed("the card said nothing".to_owned())),
            LEAVE => return Err(Fault::Removed),
            _ => {}
        }
        Ok(ResponseApdu::new(
            command.data().to_vec(),
            StatusWord(0x9000),
        ))
    }

    fn reset(&mut self, _: bool) -> Result<(), Fault> {
        match self.is_recalled() {
            true => Err(Fault::Recalled),
            false => Ok(()),
        }
    }

    fn is_recalled(&self) -> bool {
        let cards = self.grid.cards();
        cards.cards.get(&self.seid).expect("a card").recalled
    }
}

impl Drop for TestCard {
    fn drop(&mut self) {
        let mut cards = self.grid.cards();
        cards.cards.get_mut(&self.seid).expect("a card").lent = false;
    }
}

/// A server on a port, with users `one` and `two`, who may do everything with all cards.
pub(super) struct TestServer {
    pub(super) grid: TestGrid,
    pub(super) census: Census,
    pub(super) address: SocketAddr,
    authority: CertifiedIssuer<'static, KeyPair>,
    audit: Arc<Mutex<Vec<AuditEvent>>>,
    _runtime: Runtime,
}

impl TestServer {
    pub(super) fn start(seids: &[&str], set: impl FnOnce(&mut RacsSettings)) -> Self {
        let authority = authority("CA");
        let (certificate, key) = credential(&authority, "grid.example");
        let tls = server_config(vec![certificate], key, vec![authority.der().clone()]);
        let mut settings = RacsSettings::new(tls.expect("a server"));
        for user in ["one", "two"] {
            let cards = seids.iter().map(|name| (seid(name), ElementRights::all()));
            settings.users.insert(user.to_owned(), cards.collect());
        }
        set(&mut settings);
        let grid = TestGrid::with(seids);
        let census = Census::new(settings.max_connections);
        let audit = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&audit);
        let records = Records::new(move |event| sink.lock().expect("whole").push(event));
        let records = Arc::new(records);
        let server = RacsServer::new(settings, grid.clone(), census.clone(), records);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let inside = runtime.enter();
        let listener = RacsListener::bind(&"127.0.0.1:0".parse().expect("an address"));
        let listener = listener.expect("a port");
        drop(inside);
        let address = listener.address();
        runtime.spawn(listener.serve(server));
        Self {
            grid,
            census,
            address,
            authority,
            audit,
            _runtime: runtime,
        }
    }

    /// A user's connection.
    pub(super) fn user(&self, name: &str) -> User {
        self.connect(Some(credential(&self.authority, name)))
            .expect("let in")
    }

    /// A connection with this certificate, or none; its handshake is done.
    pub(super) fn connect(&self, shown: Option<Credential>) -> io::Result<User> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("a CA");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match shown {
            Some((certificate, key)) => config
                .with_client_auth_cert(vec![certificate], key)
                .expect("a credential"),
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from("grid.example").expect("a name");
        let mut tls = ClientConnection::new(Arc::new(config), name).expect("a client");
        tls.set_buffer_limit(None);
        let socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let mut stream = StreamOwned::new(
            tls,
            Counted {
                socket,
                records: Vec::new(),
            },
        );
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(User(stream))
    }

    /// What the audit was told so far.
    pub(super) fn audit(&self) -> Vec<AuditEvent> {
        self.audit.lock().expect("whole").clone()
    }
}

/// A certificate and its key.
pub(super) type Credential = (CertificateDer<'static>, PrivateKeyDer<'static>);

pub(super) fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("P-256 is always there");
    CertifiedIssuer::self_signed(params, key).expect("fixed parameters")
}

pub(super) fn credential(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> Credential {
    let mut params = CertificateParams::new(vec!["grid.example".to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("P-256 is always there");
    let certificate = params.signed_by(&key, authority).expect("fixed parameters");
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    (certificate.der().clone(), key.into())
}

/// A user's end of a connection.
pub(super) struct User(pub(super) StreamOwned<ClientConnection, Counted>);

/// A socket that keeps the types of the TLS records it was sent.
pub(super) struct Counted {
    pub(super) socket: TcpStream,
    records: Vec<u8>,
}

impl User {
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// Sends without reading anything, as far as the peer takes it.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Self(StreamOwned { conn, sock }) = self;
        if !conn.wants_write() {
            conn.writer().write_all(bytes).expect("room");
        }
        while conn.wants_write() && conn.write_tls(sock).is_ok_and(|length| length > 0) {}
    }

    /// The next response as text.
    pub(super) fn response(&mut self) -> io::Result<String> {
        let mut response = Vec::new();
        while !response.ends_with(b"END\r\n") {
            let mut buffer = [0; 4_096];
            match self.0.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => response.extend_from_slice(&buffer[..length]),
            }
        }
        Ok(String::from_utf8(response).expect("ASCII"))
    }

    /// The status lines for a request of these lines.
    pub(super) fn ask(&mut self, lines: &[&str]) -> Vec<String> {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        self.send(format!("BEGIN\r\n{lines}END\r\n").as_bytes())
            .expect("it listens");
        let response = self.response().expect("a response");
        let lines: Vec<&str> = response.split_terminator("\r\n").collect();
        assert_eq!((lines[0], lines[lines.len() - 1]), ("BEGIN", "END"));
        lines[1..lines.len() - 1]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    }

    /// The code and line of the only status for a request of one line.
    pub(super) fn status(&mut self, line: &str) -> String {
        let answer = self.ask(&[line]);
        assert_eq!(answer.len(), 1, "{answer:?}");
        answer[0].chars().take("+001 001".len()).collect()
    }

    /// How many records with application data have come.
    pub(super) fn data_records(&self) -> usize {
        let records = &self.0.sock.records;
        let mut rest = records.as_slice();
        let mut count = 0;
        while let [kind, _, _, high, low, ..] = rest {
            let length = 5 + usize::from(u16::from_be_bytes([*high, *low]));
            count += usize::from(*kind == 23);
            rest = rest.get(length..).unwrap_or_default();
        }
        count
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.socket.read(buffer)?;
        self.records.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

impl Write for Counted {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Looks until something is so.
#[track_caller]
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

pub(super) fn seid(name: &str) -> Seid {
    name.parse().expect("a SEID")
}

const PATIENCE: Duration = Duration::from_secs(30);

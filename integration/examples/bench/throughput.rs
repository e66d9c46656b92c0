//! How fast data goes through a connection that stands: in each mode of the agent, and through a TLS
//! library in the application, in the same run.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use domu_agent::client::KeysConnection;
use integration::chain::{Chain, ChainPlan, GuestPlan, request};
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{Connection, TlsServer};
use proto::tls::{Opened, RecordLayer, RecordReader};
use rustls::version::TLS13;
use rustls::{ClientConnection, StreamOwned};

use crate::NAME;
use crate::door::Door;
use crate::figures::{Figures, Times, Unit};
use crate::software;

/// Bytes that go each way in one measurement.
const BYTES: u64 = 192 << 20;
/// Measurements of each kind; the median counts.
const ROUNDS: usize = 5;
/// Bytes handed over at once by an application.
const CHUNK: usize = 64 << 10;
const ALLOW_ALL: &str = "[[allow]]\nmodes = [\"stream\", \"socket\", \"keys\"]\n";
const MODES: [(&str, f64); 3] = [("stream", 0.5), ("socket", 0.5), ("keys", 0.9)];

/// Which way the data goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// From the server.
    Down,
    /// To the server.
    Up,
}

/// An end of a connection that carries data both ways.
trait Carrier: Read + Write {}

impl<T: Read + Write> Carrier for T {}

/// Measures each mode against the library, both ways, with keys from either door.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(pki, &credential, &TLS13, serve);
    for door in Door::BOTH {
        at(door, pki, &server, figures);
    }
}

fn at(door: Door, pki: &Pki, server: &TlsServer, figures: &mut Figures) {
    let card = door.card("se-00", 1, KeyKind::P256);
    let guest = GuestPlan::new("web01").bound("se-00", door.identity(0));
    let guest = guest.agent_config(ALLOW_ALL);
    let chain = Chain::start(pki, &ChainPlan::new().card(card).guest(guest));
    for (way, text) in [(Way::Down, "from the server"), (Way::Up, "to the server")] {
        let mut plain = Times::default();
        let mut through: [Times; 3] = Default::default();
        // In turn, so that what else the machine does meets all alike.
        for _ in 0..ROUNDS {
            plain.add(carry(&mut software(pki, server.port()), way));
            for ((mode, _), times) in MODES.iter().zip(&mut through) {
                times.add(carry(connect(&chain, server.port(), mode).as_mut(), way));
            }
        }
        let rate = |times: &Times| BYTES as f64 / 1e6 / (times.median() / 1e3);
        let name = |what: &str| format!("{}data {text}: {what}", door.prefix());
        figures.add(
            &name("software key"),
            rate(&plain),
            Unit::MegabytesPerSecond,
        );
        for ((mode, target), times) in MODES.iter().zip(&through) {
            let rate_of_mode = rate(times);
            figures.add(&name(mode), rate_of_mode, Unit::MegabytesPerSecond);
            let ratio = rate_of_mode / rate(&plain);
            figures.add_above(
                &name(&format!("{mode} to software key")),
                ratio,
                Unit::Ratio,
                *target,
            );
        }
    }
}

/// Does what the client's first byte says: sends, or takes, and ends with one byte.
fn serve(connection: &mut Connection) -> io::Result<()> {
    let mut way = [0];
    connection.read_exact(&mut way)?;
    match way {
        [b'd'] => send(connection),
        _ => {
            take(connection)?;
            connection.write_all(b"!")?;
            connection.flush()
        }
    }
}

/// The time it takes until all has arrived.
fn carry(carrier: &mut dyn Carrier, way: Way) -> std::time::Duration {
    let carry = |carrier: &mut dyn Carrier| -> io::Result<()> {
        match way {
            Way::Down => {
                carrier.write_all(b"d")?;
                carrier.flush()?;
                take(carrier)
            }
            Way::Up => {
                carrier.write_all(b"u")?;
                send(carrier)?;
                carrier.read_exact(&mut [0])
            }
        }
    };
    let started = Instant::now();
    carry(carrier).expect("it stands");
    started.elapsed()
}

fn send(carrier: &mut (impl Write + ?Sized)) -> io::Result<()> {
    let chunk = vec![0x5A; CHUNK];
    for _ in 0..BYTES / CHUNK as u64 {
        carrier.write_all(&chunk)?;
    }
    carrier.flush()
}

fn take(carrier: &mut (impl Read + ?Sized)) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut left = BYTES;
    while left > 0 {
        match carrier.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => left = left.saturating_sub(n as u64),
        }
    }
    Ok(())
}

fn software(pki: &Pki, port: u16) -> impl Carrier {
    let config = Arc::new(software::config(pki, KeyKind::P256, &TLS13));
    let name = NAME.try_into().expect("a name");
    let tls = ClientConnection::new(config, name).expect("a good configuration");
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    tcp.set_nodelay(true).expect("a TCP connection");
    let mut tls = tls;
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp).expect("a handshake");
    }
    StreamOwned::new(tls, tcp)
}

fn connect(chain: &Chain, port: u16, mode: &str) -> Box<dyn Carrier> {
    let client = chain.guest("web01").client();
    let request = request(port, NAME);
    match mode {
        "stream" => Box::new(client.connect(request).expect("a stream").1),
        "socket" => Box::new(client.connect_socket(request).expect("a socket").1),
        _ => Box::new(OwnRecords::new(client.connect_keys(request).expect("keys"))),
    }
}

/// An application that holds the keys.
struct OwnRecords {
    layer: RecordLayer,
    records: RecordReader,
    connection: TcpStream,
    sealed: Vec<u8>,
    received: Vec<u8>,
    opened: Vec<u8>,
    /// How much of `opened` was read.
    read: usize,
    _request: std::os::unix::net::UnixStream,
}

impl OwnRecords {
    fn new(connection: KeysConnection) -> Self {
        let KeysConnection {
            keys,
            surplus,
            server,
            request,
            ..
        } = connection;
        let mut own = Self {
            layer: RecordLayer::new(keys).expect("good keys"),
            records: RecordReader::new(),
            connection: server,
            sealed: Vec::new(),
            received: vec![0; CHUNK],
            opened: Vec::new(),
            read: 0,
            _request: request,
        };
        own.open(&surplus).expect("good records");
        own
    }

    fn open(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.records.push(bytes);
        while let Some(record) = self.records.next_record_mut().map_err(io::Error::other)? {
            match self.layer.open(record).map_err(io::Error::other)? {
                Opened::Data(data) => self.opened.extend_from_slice(data),
                // The server's last word may come with its last data.
                Opened::NewSessionTickets(_) | Opened::CloseNotify | Opened::Nothing => {}
                other => return Err(io::Error::other(format!("{other:?}"))),
            }
        }
        Ok(())
    }
}

impl Read for OwnRecords {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.opened.len() {
            self.opened.clear();
            self.read = 0;
            let n = self.connection.read(&mut self.received)?;
            if n == 0 {
                return Ok(0);
            }
            let received = std::mem::take(&mut self.received);
            let opened = self.open(received.get(..n).unwrap_or_default());
            self.received = received;
            opened?;
        }
        let unread = self.opened.get(self.read..).unwrap_or_default();
        let n = unread.len().min(buffer.len());
        let (from, to) = (unread.get(..n), buffer.get_mut(..n));
        if let (Some(from), Some(to)) = (from, to) {
            to.copy_from_slice(from);
        }
        self.read += n;
        Ok(n)
    }
}

impl Write for OwnRecords {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.sealed.clear();
        self.layer
            .seal(data, &mut self.sealed)
            .map_err(io::Error::other)?;
        self.connection.write_all(&self.sealed)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Bytes over TLS, each call with a deadline.

use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use rustls::{CertificateError, ClientConfig, ClientConnection, Error};
use rustls_pki_types::ServerName;
use zeroize::Zeroizing;

use super::address::GridAddress;
use super::error::GridProblem;
use crate::card::TrustError;

/// One TLS connection.
pub(super) struct Wire {
    socket: TcpStream,
    tls: ClientConnection,
    buffer: Zeroizing<Vec<u8>>,
}

impl Wire {
    /// Connects and makes the TLS handshake, all by `deadline`.
    pub(super) fn connect(
        address: &GridAddress,
        server_name: &str,
        config: ClientConfig,
        deadline: Instant,
    ) -> Result<Self, GridProblem> {
        let name = ServerName::try_from(server_name.to_owned()).map_err(|_| {
            GridProblem::Tls(format!("{server_name:?} is no name a certificate can have"))
        })?;
        let tls = ClientConnection::new(Arc::new(config), name);
        let mut tls = tls.map_err(|error| GridProblem::Tls(error.to_string()))?;
        let mut socket = connected(address, deadline)?;
        let doing = "TLS handshake";
        while tls.is_handshaking() {
            let mut timed = Timed {
                socket: &mut socket,
                deadline,
            };
            let done = tls.complete_io(&mut timed);
            done.map_err(|error| last_word(&mut tls, &mut timed, problem(error, doing)))?;
        }
        Ok(Self {
            socket,
            tls,
            buffer: Zeroizing::new(vec![0; READ_SIZE]),
        })
    }

    /// Sends bytes in one TLS record, if they fit one.
    pub(super) fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), GridProblem> {
        let doing = "sending a request";
        let mut timed = Timed {
            socket: &mut self.socket,
            deadline,
        };
        let written = self.tls.writer().write_all(bytes);
        written.map_err(|error| problem(error, doing))?;
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut timed) {
                Ok(1..) => {}
                Ok(0) => return Err(GridProblem::Closed { doing }),
                Err(error) => {
                    let problem = problem(error, doing);
                    return Err(last_word(&mut self.tls, &mut timed, problem));
                }
            }
        }
        Ok(())
    }

    /// What came, at least one byte.
    pub(super) fn receive(&mut self, deadline: Instant) -> Result<&[u8], GridProblem> {
        let doing = "waiting for an answer";
        let mut timed = Timed {
            socket: &mut self.socket,
            deadline,
        };
        let mut stream = rustls::Stream::new(&mut self.tls, &mut timed);
        let got = stream.read(&mut self.buffer);
        match got.map_err(|error| problem(error, doing))? {
            0 => Err(GridProblem::Closed { doing }),
            got => Ok(self.buffer.get(..got).unwrap_or_default()),
        }
    }

    /// Whether the server has neither closed nor said anything, as far as can be seen without waiting.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        match recv(self.socket.as_raw_fd(), &mut byte, flags) {
            Ok(0) => return false,
            // A ticket of TLS 1.3, an alert, or the end.
            Ok(_) => {}
            Err(Errno::EAGAIN | Errno::EINTR) => return true,
            Err(_) => return false,
        }
        let mut timed = Timed {
            socket: &mut self.socket,
            deadline: Instant::now() + AT_ONCE,
        };
        let read = self.tls.read_tls(&mut timed);
        let state = self.tls.process_new_packets();
        match (read, state) {
            (Ok(1..), Ok(state)) => {
                state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed()
            }
            _ => false,
        }
    }
}

impl Drop for Wire {
    /// Says goodbye if that does not take long.
    fn drop(&mut self) {
        self.tls.send_close_notify();
        let mut timed = Timed {
            socket: &mut self.socket,
            deadline: Instant::now() + GOODBYE,
        };
        let _ = self.tls.write_tls(&mut timed);
    }
}

fn connected(address: &GridAddress, deadline: Instant) -> Result<TcpStream, GridProblem> {
    let doing = "connecting";
    let mut last = GridProblem::NoAddress("none is known".to_owned());
    for address in resolved(address, deadline)? {
        let left = left(deadline).map_err(|_| GridProblem::TimedOut { doing })?;
        match TcpStream::connect_timeout(&address, left) {
            Ok(socket) => {
                // A request is one write, and its answer is waited for.
                let set = socket.set_nodelay(true);
                set.map_err(|error| GridProblem::Connect(error.to_string()))?;
                return Ok(socket);
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                last = GridProblem::TimedOut { doing };
            }
            Err(error) => last = GridProblem::Connect(error.to_string()),
        }
    }
    Err(last)
}

/// The addresses of a host. The system's resolver has no deadline: it is waited for on a thread that is
/// left to itself when it takes too long.
fn resolved(address: &GridAddress, deadline: Instant) -> Result<Vec<SocketAddr>, GridProblem> {
    let (host, port) = (address.host().to_owned(), address.port());
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (sender, receiver) = mpsc::channel();
    let resolver = thread::Builder::new().name("resolver".to_owned());
    let spawned = resolver.spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs();
        // Nobody listens any more when it took too long.
        let _ = sender.send(found.map(Iterator::collect));
    });
    spawned.map_err(|error| GridProblem::NoAddress(error.to_string()))?;
    let doing = "looking the host's name up";
    let left = left(deadline).map_err(|_| GridProblem::TimedOut { doing })?;
    match receiver.recv_timeout(left) {
        Ok(found) => found.map_err(|error| GridProblem::NoAddress(error.to_string())),
        Err(_) => Err(GridProblem::TimedOut { doing }),
    }
}

/// A socket whose reads and writes end by a deadline.
struct Timed<'a> {
    socket: &'a mut TcpStream,
    deadline: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.deadline)?))?;
        self.socket.read(buffer).map_err(timed_out)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.deadline)?))?;
        self.socket.write(bytes).map_err(timed_out)
    }

    /// All of it, so that no peer sees the first record alone.
    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.deadline)?))?;
        self.socket.write_vectored(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the server said before it closed, if that says more than `problem`.
fn last_word(
    tls: &mut ClientConnection,
    timed: &mut Timed<'_>,
    problem: GridProblem,
) -> GridProblem {
    if !matches!(problem, GridProblem::Closed { .. }) {
        return problem;
    }
    while let Ok(1..) = tls.read_tls(timed) {
        if let Err(Error::AlertReceived(alert)) = tls.process_new_packets() {
            return GridProblem::Alert(alert);
        }
    }
    problem
}

fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.checked_duration_since(Instant::now()) {
        // The kernel counts in microseconds and takes zero for "for ever".
        Some(left) if left >= Duration::from_micros(1) => Ok(left),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// rustls's own errors come wrapped in those of the stream.
fn problem(error: io::Error, doing: &'static str) -> GridProblem {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    match error.kind() {
        TimedOut => return GridProblem::TimedOut { doing },
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => {
            return GridProblem::Closed { doing };
        }
        _ => {}
    }
    let text = error.to_string();
    let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
    match inner.map(|tls: Box<Error>| *tls) {
        Some(Error::AlertReceived(alert)) => GridProblem::Alert(alert),
        Some(Error::InvalidCertificate(why)) => GridProblem::ServerCertificate(reason(&why)),
        Some(other) => GridProblem::Tls(other.to_string()),
        None => GridProblem::Tls(text),
    }
}

fn reason(error: &CertificateError) -> TrustError {
    let CertificateError::Other(other) = error else {
        return TrustError::Other(error.to_string());
    };
    let ours = other.0.downcast_ref::<TrustError>();
    ours.cloned()
        .unwrap_or_else(|| TrustError::Other(other.0.to_string()))
}

const READ_SIZE: usize = 16_384;
/// What has arrived is read without waiting; the kernel still wants a time.
const AT_ONCE: Duration = Duration::from_millis(10);
const GOODBYE: Duration = Duration::from_millis(100);

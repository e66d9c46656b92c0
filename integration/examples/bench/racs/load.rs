//! Users who ask as fast as they are answered.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use integration::racs_user::{RacsDesk, SERVER_NAME};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::card::{ANSWER, COMMAND};
use crate::figures::Times;

/// The user that the server knows.
pub(super) const USER: &str = "bench";

/// How it is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Each has a card of its own.
    pub(super) connections: usize,
    /// APDUs in a request.
    pub(super) batch: usize,
    /// How long it is asked, in pieces that are counted apart.
    pub(super) slice: Duration,
}

/// What came of it.
pub(super) struct Load {
    /// APDUs in a second, of all connections, in the worst piece of time.
    pub(super) worst: f64,
    /// In the one in the middle.
    pub(super) rate: f64,
    /// In the best one.
    pub(super) best: f64,
    /// Of each request.
    pub(super) times: Times,
}

/// Asks, without a pause, for as long as the plan says.
pub(super) fn run(desk: &RacsDesk, to: SocketAddr, plan: Plan) -> Load {
    let credential = desk.users.identity(USER, integration::pki::KeyKind::P256);
    let config = Arc::new(desk.client_config(Some(&credential)));
    let barrier = Barrier::new(plan.connections);
    let done: Vec<Done> = thread::scope(|scope| {
        let users: Vec<_> = (0..plan.connections)
            .map(|number| {
                let (config, barrier) = (Arc::clone(&config), &barrier);
                scope.spawn(move || {
                    let mut user = User::connect(to, config, &format!("se-{number:02}"));
                    user.run(plan, barrier)
                })
            })
            .collect();
        let joined = users.into_iter().map(|user| user.join());
        joined.map(|done| done.expect("a user")).collect()
    });
    let mut times = Times::default();
    let mut slices = [0; SLICES];
    for Done {
        apdus,
        times: of_one,
    } in done
    {
        for (all, of_one) in slices.iter_mut().zip(apdus) {
            *all += of_one;
        }
        times.extend(of_one);
    }
    slices.sort_unstable();
    let rate = |slice: usize| f64::from(slices[slice]) / plan.slice.as_secs_f64();
    Load {
        worst: rate(0),
        rate: rate(SLICES / 2),
        best: rate(SLICES - 1),
        times,
    }
}

/// What one connection has done: APDUs in each slice of time, and how long each request took.
struct Done {
    apdus: [u32; SLICES],
    times: Times,
}

/// Slices of time, of which the one in the middle counts: a program that comes and goes beside it spoils
/// some of them.
const SLICES: usize = 11;

/// One connection, by which a card is held. Its requests are made before, so that the processors are the
/// server's as far as that can be.
struct User {
    tls: ClientConnection,
    socket: TcpStream,
    seid: String,
    buffer: Vec<u8>,
}

impl User {
    fn connect(to: SocketAddr, config: Arc<ClientConfig>, seid: &str) -> Self {
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        let mut tls = ClientConnection::new(config, name).expect("a client");
        let mut socket = TcpStream::connect(to).expect("the server listens");
        socket.set_nodelay(true).expect("a socket");
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).expect("a user of the server");
        }
        let mut user = Self {
            tls,
            socket,
            seid: seid.to_owned(),
            buffer: vec![0; 16 << 10],
        };
        let powered = user.ask(format!("BEGIN\r\nPOWERON {seid}\r\nEND\r\n").as_bytes());
        let powered = String::from_utf8_lossy(powered.expect("an answer"));
        assert!(powered.contains("+008 001"), "{powered}");
        user
    }

    /// Asks and asks.
    fn run(&mut self, plan: Plan, barrier: &Barrier) -> Done {
        let (request, answer) = self.lines(plan.batch);
        for _ in 0..WARM_UP {
            let said = self.ask(&request).expect("an answer");
            assert_eq!(said, answer.as_slice(), "the card's answer");
        }
        barrier.wait();
        let begun = Instant::now();
        let (mut apdus, mut before, mut times) = ([0; SLICES], begun, Times::default());
        let of_request = u32::try_from(plan.batch).expect("a few");
        loop {
            let said = self.ask(&request).expect("an answer");
            assert!(said == answer, "the card's answer");
            let now = Instant::now();
            times.add(now.duration_since(before));
            before = now;
            let slice = now.duration_since(begun).as_micros() / plan.slice.as_micros();
            match usize::try_from(slice).ok().and_then(|at| apdus.get_mut(at)) {
                Some(apdus) => *apdus += of_request,
                None => return Done { apdus, times },
            }
        }
    }

    /// A request of so many APDUs whose answers are all wanted, and the response.
    fn lines(&self, batch: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut request, mut response) = ("BEGIN\r\n".to_owned(), "BEGIN\r\n".to_owned());
        for number in 1..=batch {
            let append = if number < batch { " APPEND" } else { "" };
            request += &format!("APDU {} {COMMAND}{append}\r\n", self.seid);
            response += &format!("+006 {number:03} {ANSWER}\r\n");
        }
        (
            (request + "END\r\n").into_bytes(),
            (response + "END\r\n").into_bytes(),
        )
    }

    /// One write, and as many reads as it takes.
    fn ask(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        self.tls.writer().write_all(request)?;
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket)?;
        }
        let mut held = 0;
        while !self.buffer[..held].ends_with(b"END\r\n") {
            if self.tls.read_tls(&mut self.socket)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.tls.process_new_packets().map_err(io::Error::other)?;
            match self.tls.reader().read(&mut self.buffer[held..]) {
                Ok(count) => held += count,
                // A ticket of TLS 1.3, or a part of a record.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[..held])
    }
}

/// Requests before it counts.
const WARM_UP: usize = 200;

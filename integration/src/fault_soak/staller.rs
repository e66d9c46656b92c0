//! What stands between guest and server, and stalls.

use std::io::{self, Read};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A proxy in front of a server. Each connection through it meets a trouble. It runs as long as the
/// process.
pub(super) struct Staller {
    port: u16,
    count: Arc<AtomicUsize>,
}

/// After so many bytes of the server.
#[derive(Debug, Clone, Copy)]
enum Stall {
    /// Nothing comes any more.
    Silent,
    /// The connection ends.
    Cut,
    /// Nothing comes for a while.
    Pause(Duration),
}

impl Staller {
    pub(super) fn start(server: u16, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let mut random = StdRng::seed_from_u64(seed);
        thread::spawn(move || {
            for client in listener.incoming() {
                let bytes = random.gen_range(0..MOST_BYTES);
                let stall = match random.gen_range(0..3) {
                    0 => Stall::Silent,
                    1 => Stall::Cut,
                    _ => Stall::Pause(Duration::from_millis(random.gen_range(50..LONGEST_MS))),
                };
                counted.fetch_add(1, Ordering::Relaxed);
                // A connection that breaks is seen by those at its ends.
                let _ = client.and_then(|client| serve(client, server, bytes, stall));
            }
        });
        Self { port, count }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections met one.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

fn serve(client: TcpStream, server: u16, bytes: u64, stall: Stall) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let forth = thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let (mut from_server, mut to_client) = (&server, &client);
        let _ = io::copy(&mut from_server.take(bytes), &mut to_client);
        match stall {
            // Until the guest gives up.
            Stall::Silent => drop(forth.join()),
            Stall::Cut => {}
            Stall::Pause(time) => {
                thread::park_timeout(time);
                let _ = io::copy(&mut from_server, &mut to_client);
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// More than a server says in a handshake, and in one record behind it.
const MOST_BYTES: u64 = 2_000;
/// Above what the service waits for a server while others wait for the card.
const LONGEST_MS: u64 = 800;

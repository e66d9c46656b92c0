//! A network that is far: all that goes through arrives later, in order, and as fast as it came.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// A proxy in front of a port of this machine.
pub(super) struct Delay {
    port: u16,
    /// Each way, in microseconds.
    each_way: Arc<AtomicU64>,
}

impl Delay {
    /// Begins to listen; nothing is delayed yet.
    pub(super) fn start(to: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let each_way = Arc::new(AtomicU64::new(0));
        let delay = Arc::clone(&each_way);
        thread::spawn(move || {
            for client in listener.incoming() {
                // A connection that breaks is seen by those at its ends.
                let _ = client.and_then(|client| connect(&client, to, &delay));
            }
        });
        Self { port, each_way }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// From now on.
    pub(super) fn set(&self, each_way: Duration) {
        let micros = u64::try_from(each_way.as_micros()).expect("short");
        self.each_way.store(micros, Ordering::Relaxed);
    }
}

fn connect(client: &TcpStream, to: u16, delay: &Arc<AtomicU64>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    one_way(client.try_clone()?, server.try_clone()?, Arc::clone(delay));
    one_way(server, client.try_clone()?, Arc::clone(delay));
    Ok(())
}

fn one_way(mut from: TcpStream, to: TcpStream, delay: Arc<AtomicU64>) {
    let (sender, due) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let later = Duration::from_micros(delay.load(Ordering::Relaxed));
            if sender
                .send((Instant::now() + later, buffer[..count].to_vec()))
                .is_err()
            {
                return;
            }
        }
    });
    thread::spawn(move || deliver(&due, to));
}

fn deliver(due: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (at, bytes) in due {
        while let Some(left) = at.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

//! A thousand TLS connections through one agent at the same time.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use domu_agent::client::Client;
use integration::descriptors;
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{TlsServer, echo};
use integration::wait::{self, PATIENCE};
use rustls::version::TLS13;

use crate::own_records::OwnRecords;
use crate::{ALLOW_ALL, NAME, chain, request};

const CONNECTIONS: usize = 1_000;
/// Applications that ask at the same time; a card's queue has 64 places.
const ASKING: usize = 16;
/// Both ends of each connection are in this process, and keys come with two.
const DESCRIPTORS: u64 = 4_000;

/// A connection in one of the three modes.
enum Application {
    Plaintext(UnixStream),
    Records(Box<OwnRecords>),
}

impl Application {
    fn connect(number: usize, client: &Client, port: u16) -> Self {
        let wish = request(port, NAME);
        let plaintext = match number % 3 {
            0 => client.connect(wish).map(|(_, stream)| stream),
            1 => client.connect_socket(wish).map(|(_, socket)| socket),
            _ => {
                let keys = client.connect_keys(wish).expect("keys");
                return Self::Records(Box::new(OwnRecords::new(keys)));
            }
        };
        let plaintext = plaintext.expect("a connection");
        plaintext
            .set_read_timeout(Some(PATIENCE))
            .expect("not zero");
        Self::Plaintext(plaintext)
    }

    fn send(&mut self, data: &[u8]) {
        match self {
            Self::Plaintext(stream) => stream.write_all(data).expect("it stands"),
            Self::Records(records) => records.send(data),
        }
    }

    fn read(&mut self, length: usize) -> Vec<u8> {
        match self {
            Self::Plaintext(stream) => {
                let mut data = vec![0; length];
                stream.read_exact(&mut data).expect("it stands");
                data
            }
            Self::Records(records) => records.read(length),
        }
    }
}

#[test]
fn a_thousand_connections_stand_at_once_and_each_gets_its_own_data() {
    if !descriptors::provide(DESCRIPTORS) {
        return;
    }
    let pki = Pki::new();
    let chain = chain(&pki, ALLOW_ALL);
    let client = chain.guest("web01").client();
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(&pki, &credential, &TLS13, echo);

    let next = AtomicUsize::new(0);
    let connected = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..ASKING {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= CONNECTIONS {
                        return;
                    }
                    let application = Application::connect(number, client, server.port());
                    let mut connected = connected.lock().expect("nobody failed");
                    connected.push((number, application));
                }
            });
        }
    });
    let mut connected = connected.into_inner().expect("nobody failed");
    assert_eq!(connected.len(), CONNECTIONS);
    let running = || client.status().expect("an answer").sessions.running;
    assert_eq!(running(), CONNECTIONS as u64);

    let own = |number: usize| format!("{number:04} ").repeat(100).into_bytes();
    for (number, application) in &mut connected {
        application.send(&own(*number));
    }
    for (number, application) in &mut connected {
        let data = own(*number);
        assert_eq!(application.read(data.len()), data);
    }
    assert_eq!(running(), CONNECTIONS as u64, "all of them to the end");

    drop(connected);
    wait::until("all connections have ended", || {
        (running() == 0).then_some(())
    });
}

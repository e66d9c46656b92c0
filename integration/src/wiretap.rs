//! A TCP proxy that changes nothing and keeps what the client sends.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use proto::tls::{Record, RecordReader};

/// A proxy in front of a server on this machine, for one connection after the other. It runs as
/// long as the process.
#[derive(Debug)]
pub struct Wiretap {
    port: u16,
    client: Arc<Mutex<Vec<u8>>>,
}

impl Wiretap {
    /// Starts to listen.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let client = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&client);
        thread::spawn(move || {
            for client in listener.incoming() {
                // A connection that breaks is seen by those at its ends.
                let _ = client.and_then(|client| serve(client, server_port, &kept));
            }
        });
        Self { port, client }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The bytes that clients have sent so far and nobody has taken.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.client.lock().expect("no client panicked").clone()
    }

    /// Takes the records that clients have sent so far.
    ///
    /// # Panics
    /// When they are no TLS records.
    #[must_use]
    pub fn take(&self) -> Vec<Record> {
        let mut kept = self.client.lock().expect("no client panicked");
        let mut reader = RecordReader::new();
        reader.push(&kept);
        let mut records = Vec::new();
        while let Some(record) = reader.next_record().expect("TLS records") {
            records.push(record);
        }
        *kept = reader.into_rest();
        records
    }
}

fn serve(client: TcpStream, server_port: u16, kept: &Mutex<Vec<u8>>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let (mut from_server, mut to_client) = (server, client);
    let back = thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    let mut buffer = [0; 16_384];
    loop {
        let n = from_client.read(&mut buffer)?;
        let bytes = buffer.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        // Before the server has it: who sees its effect at the server finds it here.
        kept.lock().expect("no client panicked").extend(bytes);
        to_server.write_all(bytes)?;
    }
    to_server.shutdown(Shutdown::Write)?;
    let _ = back.join();
    Ok(())
}

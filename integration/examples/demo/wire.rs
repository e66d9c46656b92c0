//! Watching the wire: a TCP relay that says what it sees, as anybody on the network could.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use integration::wait;
use proto::tls::{ContentType, HandshakeReader, RecordReader};

use crate::narrator::Narrator;

/// A relay in front of a server. It runs as long as the process.
#[derive(Debug)]
pub(crate) struct Wire {
    port: u16,
    ended: Arc<AtomicUsize>,
}

impl Wire {
    /// Relays connections to `server_port`.
    pub(crate) fn watch(server_port: u16, narrator: Narrator) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let ended = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&ended);
        thread::spawn(move || {
            for client in listener.incoming() {
                // A connection that breaks is noticed by those at its ends.
                let _ = client.and_then(|client| relay(client, server_port, narrator, &counter));
            }
        });
        Ok(Self { port, ended })
    }

    /// Where it listens, on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until `count` connections have ended.
    pub(crate) fn wait_ended(&self, count: usize) {
        wait::until("the connection ends", || {
            // Each of them is counted once for each direction.
            (self.ended.load(Ordering::SeqCst) >= 2 * count).then_some(())
        });
    }
}

fn relay(
    client: TcpStream,
    server_port: u16,
    narrator: Narrator,
    ended: &Arc<AtomicUsize>,
) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = (client.try_clone()?, client);
    let (from_server, to_server) = (server.try_clone()?, server);
    for (from, to, who) in [
        (from_client, to_server, "guest  -->"),
        (from_server, to_client, "server <--"),
    ] {
        let ended = Arc::clone(ended);
        thread::spawn(move || {
            carry(from, to, Watcher::new(who, narrator));
            ended.fetch_add(1, Ordering::SeqCst);
        });
    }
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut watcher: Watcher) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        match from.read(&mut bytes) {
            Ok(read) if read > 0 => {
                watcher.look(&bytes[..read]);
                if to.write_all(&bytes[..read]).is_err() {
                    return;
                }
            }
            _ => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }
}

/// Reads one direction of a TLS connection.
struct Watcher {
    who: &'static str,
    narrator: Narrator,
    records: RecordReader,
    handshake: HandshakeReader,
    /// After ChangeCipherSpec only types and lengths can be seen.
    is_encrypted: bool,
}

impl Watcher {
    fn new(who: &'static str, narrator: Narrator) -> Self {
        Self {
            who,
            narrator,
            records: RecordReader::new(),
            handshake: HandshakeReader::new(MAX_MESSAGE),
            is_encrypted: false,
        }
    }

    fn look(&mut self, bytes: &[u8]) {
        self.records.push(bytes);
        let mut seen = Vec::new();
        while let Ok(Some(record)) = self.records.next_record() {
            let payload = record.payload();
            match record.content_type() {
                ContentType::Handshake if self.is_encrypted => {
                    seen.push("Finished (encrypted)".to_owned());
                }
                ContentType::Handshake => {
                    let mut rest = payload;
                    while let Ok(Some(message)) = self.handshake.read(&mut rest) {
                        seen.push(message.kind().to_string());
                    }
                }
                ContentType::ChangeCipherSpec => {
                    self.is_encrypted = true;
                    seen.push("ChangeCipherSpec".to_owned());
                }
                ContentType::ApplicationData => {
                    seen.push(format!("{} bytes of encrypted data", payload.len()));
                }
                ContentType::Alert if self.is_encrypted => {
                    seen.push("alert (encrypted)".to_owned());
                }
                ContentType::Alert => seen.push(format!("alert {}", alert(payload))),
                other => seen.push(other.to_string()),
            }
        }
        if !seen.is_empty() {
            self.narrator
                .say(format_args!("{} {}", self.who, seen.join(", ")));
        }
    }
}

fn alert(payload: &[u8]) -> String {
    match payload {
        [_, description] => proto::tls::AlertDescription(*description).to_string(),
        _ => "of unknown form".to_owned(),
    }
}

/// The longest handshake message looked into, in bytes.
const MAX_MESSAGE: usize = 1 << 18;

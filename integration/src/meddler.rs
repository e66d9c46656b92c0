//! A TCP proxy that delivers the server's bytes in awkward portions.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// How the server's bytes reach the client. The client's bytes go as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// One byte per segment.
    ByteByByte,
    /// The last flight of a full handshake is held back until the server's first data, and goes
    /// in one piece with the first `of_data` bytes of that record; the rest follows.
    LastFlightWithData {
        /// Bytes of the record with the data, header included; a record has fewer.
        of_data: usize,
    },
    /// Only the first so many bytes; then the connection is closed.
    CutAfter(usize),
}

/// A proxy in front of a server on this machine, for any number of connections.
#[derive(Debug)]
pub struct Meddler {
    port: u16,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Meddler {
    /// Starts to listen.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start(server_port: u16, delivery: Delivery) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let stopping = Arc::new(AtomicBool::new(false));
        let must_stop = Arc::clone(&stopping);
        let acceptor = thread::spawn(move || {
            for client in listener.incoming() {
                if must_stop.load(Ordering::SeqCst) {
                    return;
                }
                // A connection that breaks is seen by those at its ends.
                let _ = client.and_then(|client| serve(client, server_port, delivery));
            }
        });
        Self {
            port,
            stopping,
            acceptor: Some(acceptor),
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes it up to look.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn serve(client: TcpStream, server_port: u16, delivery: Delivery) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = deliver(&server, &client, delivery);
        let _ = client.shutdown(Shutdown::Write);
        if matches!(delivery, Delivery::CutAfter(_)) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    });
    Ok(())
}

fn deliver(mut server: &TcpStream, mut client: &TcpStream, delivery: Delivery) -> io::Result<()> {
    match delivery {
        Delivery::ByteByByte => {
            let mut buffer = [0; 4096];
            loop {
                let n = server.read(&mut buffer)?;
                if n == 0 {
                    return Ok(());
                }
                for byte in buffer.iter().take(n) {
                    client.write_all(std::slice::from_ref(byte))?;
                }
            }
        }
        Delivery::LastFlightWithData { of_data } => {
            let mut held = Vec::new();
            loop {
                let record = read_record(&mut server)?;
                match record.first() {
                    None => return Ok(()),
                    Some(&CHANGE_CIPHER_SPEC) => held = record,
                    Some(&APPLICATION_DATA) => {
                        let (first, rest) = record.split_at(of_data.min(record.len()));
                        held.extend_from_slice(first);
                        client.write_all(&held)?;
                        client.write_all(rest)?;
                        break;
                    }
                    Some(_) if held.is_empty() => client.write_all(&record)?,
                    Some(_) => held.extend_from_slice(&record),
                }
            }
            io::copy(&mut server, &mut client).map(|_| ())
        }
        Delivery::CutAfter(count) => {
            io::copy(&mut server.take(count as u64), &mut client).map(|_| ())
        }
    }
}

/// One TLS record with its header; empty at the end.
fn read_record(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut record = vec![0; HEADER];
    if from.read(&mut record[..1])? == 0 {
        return Ok(Vec::new());
    }
    from.read_exact(&mut record[1..])?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(HEADER + length, 0);
    from.read_exact(&mut record[HEADER..])?;
    Ok(record)
}

/// Length of a record's header (RFC 5246 §6.2.1).
const HEADER: usize = 5;
const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CCS: &[u8] = b"\x14\x03\x03\x00\x01\x01";
    const FINISHED: &[u8] = b"\x16\x03\x03\x00\x03xyz";
    const DATA: &[u8] = b"\x17\x03\x03\x00\x05hello";

    /// A client and a server with a meddler between them.
    fn pair(delivery: Delivery) -> (TcpStream, TcpStream, Meddler) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let meddler = Meddler::start(port, delivery);
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, meddler.port()));
        let (server, _) = listener.accept().expect("the meddler connects");
        (client.expect("it listens"), server, meddler)
    }

    #[test]
    fn the_last_flight_waits_for_data() {
        let delivery = Delivery::LastFlightWithData { of_data: 2 };
        let (mut client, mut server, _meddler) = pair(delivery);
        server.write_all(FINISHED).expect("a socket");
        let mut first = [0; FINISHED.len()];
        client
            .read_exact(&mut first)
            .expect("what comes before goes through");

        server
            .write_all(&[CCS, FINISHED].concat())
            .expect("a socket");
        client
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("not zero");
        let early = client.peek(&mut [0]).map_err(|err| err.kind());
        assert_eq!(early, Err(io::ErrorKind::WouldBlock), "it is held back");

        server.write_all(&[DATA, DATA].concat()).expect("a socket");
        drop(server);
        client.set_read_timeout(None).expect("a socket");
        let mut all = Vec::new();
        client.read_to_end(&mut all).expect("the end");
        assert_eq!(all, [CCS, FINISHED, DATA, DATA].concat());
    }

    #[test]
    fn what_is_cut_ends_after_as_many_bytes() {
        let (mut client, mut server, _meddler) = pair(Delivery::CutAfter(3));
        server.write_all(DATA).expect("a socket");
        let mut all = Vec::new();
        client.read_to_end(&mut all).expect("the end");
        assert_eq!(all, DATA[..3]);
    }
}

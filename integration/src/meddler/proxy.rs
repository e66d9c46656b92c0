//! The proxy: sockets and threads.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::delivery::{Delivery, Flipped, deliver};

/// A proxy in front of a server on this machine, for any number of connections.
#[derive(Debug)]
pub struct Meddler {
    port: u16,
    stopping: Arc<AtomicBool>,
    flipped: Flipped,
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
        let flipped = Flipped::nowhere();
        let note = flipped.clone();
        let acceptor = thread::spawn(move || {
            for client in listener.incoming() {
                if must_stop.load(Ordering::SeqCst) {
                    return;
                }
                // A connection that breaks is seen by those at its ends.
                let (delivery, note) = (delivery.clone(), note.clone());
                let _ = client.and_then(|client| serve(client, server_port, delivery, note));
            }
        });
        Self {
            port,
            stopping,
            flipped,
            acceptor: Some(acceptor),
        }
    }

    /// Where in its record the byte was of which a bit was flipped: 0 is the record's type, 1 and 2
    /// its version, 3 and 4 its length. `None` if it never came.
    #[must_use]
    pub fn flipped_place(&self) -> Option<usize> {
        self.flipped.place()
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

fn serve(
    client: TcpStream,
    server_port: u16,
    delivery: Delivery,
    flipped: Flipped,
) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = deliver(&server, &client, &delivery, &flipped);
        let _ = client.shutdown(Shutdown::Write);
        if delivery.cuts() {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::Duration;

    use super::*;
    use crate::meddler::RecordEdit;

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

    #[test]
    fn what_is_changed_is_changed_in_one_place() {
        let edit = Delivery::Records;
        for (delivery, expected) in [
            (
                Delivery::FlippedBit { offset: 8, bit: 2 },
                [CCS, FINISHED, DATA, DATA].concat(),
            ),
            (
                edit(RecordEdit::Repeat(1)),
                [CCS, FINISHED, FINISHED, DATA, DATA].concat(),
            ),
            (
                edit(RecordEdit::Exchange(0)),
                [FINISHED, CCS, DATA, DATA].concat(),
            ),
            (
                edit(RecordEdit::LeaveOut(2)),
                [CCS, FINISHED, DATA].concat(),
            ),
            (edit(RecordEdit::CutBefore(2)), [CCS, FINISHED].concat()),
        ] {
            let (mut client, mut server, meddler) = pair(delivery.clone());
            let sent = [CCS, FINISHED, DATA, DATA].concat();
            server.write_all(&sent).expect("a socket");
            drop(server);
            let mut all = Vec::new();
            client.read_to_end(&mut all).expect("the end");
            if let Delivery::FlippedBit { offset, bit } = delivery {
                assert_eq!(all[offset], sent[offset] ^ (1 << bit));
                assert_eq!(meddler.flipped_place(), Some(offset - CCS.len()));
                all[offset] = sent[offset];
            }
            assert_eq!(all, expected, "{delivery:?}");
        }
    }
}

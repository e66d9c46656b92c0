//! What reaches the client of what the server sends.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::record::{APPLICATION_DATA, CHANGE_CIPHER_SPEC, RecordEdit, read_record};

/// How the server's bytes reach the client. The client's bytes go as they come.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// One bit is turned.
    FlippedBit {
        /// Of which byte, from 0 on.
        offset: usize,
        /// Which one, from 0 (least) to 7.
        bit: u8,
    },
    /// Records are not what they were.
    Records(RecordEdit),
}

impl Delivery {
    /// Whether the connection is closed when the delivery is over, whatever the server does.
    pub(super) fn cuts(&self) -> bool {
        matches!(
            self,
            Self::CutAfter(_) | Self::Records(RecordEdit::CutBefore(_))
        )
    }
}

/// Where in its record the bit was that was flipped last.
#[derive(Debug, Clone)]
pub(super) struct Flipped(Arc<AtomicUsize>);

impl Flipped {
    pub(super) fn nowhere() -> Self {
        Self(Arc::new(AtomicUsize::new(usize::MAX)))
    }

    fn note(&self, place: usize) {
        self.0.store(place, Ordering::SeqCst);
    }

    /// The byte, its record's type being byte 0.
    pub(super) fn place(&self) -> Option<usize> {
        Some(self.0.load(Ordering::SeqCst)).filter(|place| *place != usize::MAX)
    }
}

/// Carries the server's bytes to the client until there are no more, or no more are to come.
pub(super) fn deliver(
    mut server: &TcpStream,
    mut client: &TcpStream,
    delivery: &Delivery,
    flipped: &Flipped,
) -> io::Result<()> {
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
        Delivery::LastFlightWithData { of_data } => last_flight_with_data(server, client, *of_data),
        Delivery::CutAfter(count) => {
            io::copy(&mut server.take(*count as u64), &mut client).map(|_| ())
        }
        Delivery::FlippedBit { offset, bit } => flip(server, client, *offset, *bit, flipped),
        Delivery::Records(edit) => edit.deliver(server, client),
    }
}

fn flip(
    mut server: &TcpStream,
    mut client: &TcpStream,
    offset: usize,
    bit: u8,
    flipped: &Flipped,
) -> io::Result<()> {
    let mut left = offset;
    loop {
        let mut record = read_record(&mut server)?;
        if record.is_empty() {
            return Ok(());
        }
        if let Some(byte) = record.get_mut(left) {
            *byte ^= 1 << bit;
            flipped.note(left);
            client.write_all(&record)?;
            return io::copy(&mut server, &mut client).map(|_| ());
        }
        left -= record.len();
        client.write_all(&record)?;
    }
}

fn last_flight_with_data(
    mut server: &TcpStream,
    mut client: &TcpStream,
    of_data: usize,
) -> io::Result<()> {
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

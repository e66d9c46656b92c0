//! TLS records between server and client, and what may be done to them.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// One change to the server's records, which are counted from 0 on in each connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordEdit {
    /// Bytes of somebody else, records or not, come before a record.
    Insert {
        /// The record.
        before: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A record comes twice.
    Repeat(usize),
    /// A record comes after the next one.
    Exchange(usize),
    /// A record does not come.
    LeaveOut(usize),
    /// Nothing comes from this record on, but the connection stays.
    StallBefore(usize),
    /// The connection ends before this record.
    CutBefore(usize),
    /// Handshake messages that are not encrypted come in records of so many bytes each.
    Fragments(usize),
}

/// A record of TLS 1.2.
///
/// # Panics
/// When `payload` is too long for one.
#[must_use]
pub fn record(content_type: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a record's length has 16 bits");
    let [high, low] = length.to_be_bytes();
    [&[content_type, 3, 3, high, low], payload].concat()
}

impl RecordEdit {
    pub(super) fn deliver(&self, mut server: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
        if let Self::Fragments(length) = self {
            return deliver_fragments(server, client, *length);
        }
        let Some(at) = self.place() else {
            return Ok(());
        };
        for _ in 0..at {
            client.write_all(&read_record(&mut server)?)?;
        }
        match self {
            Self::Insert { bytes, .. } => client.write_all(bytes)?,
            Self::Repeat(_) => {
                let record = read_record(&mut server)?;
                client.write_all(&record.repeat(2))?;
            }
            Self::Exchange(_) => {
                let first = read_record(&mut server)?;
                client.write_all(&read_record(&mut server)?)?;
                client.write_all(&first)?;
            }
            Self::LeaveOut(_) => drop(read_record(&mut server)?),
            Self::StallBefore(_) => return io::copy(&mut server, &mut io::sink()).map(|_| ()),
            Self::CutBefore(_) | Self::Fragments(_) => return Ok(()),
        }
        io::copy(&mut server, &mut client).map(|_| ())
    }

    /// The record that is concerned.
    fn place(&self) -> Option<usize> {
        match self {
            Self::Insert { before: at, .. }
            | Self::Repeat(at)
            | Self::Exchange(at)
            | Self::LeaveOut(at)
            | Self::StallBefore(at)
            | Self::CutBefore(at) => Some(*at),
            Self::Fragments(_) => None,
        }
    }
}

fn deliver_fragments(
    mut server: &TcpStream,
    mut client: &TcpStream,
    length: usize,
) -> io::Result<()> {
    loop {
        let whole = read_record(&mut server)?;
        if whole.first() != Some(&HANDSHAKE) {
            client.write_all(&whole)?;
            return io::copy(&mut server, &mut client).map(|_| ());
        }
        let payload = whole.get(HEADER..).unwrap_or_default();
        for fragment in payload.chunks(length) {
            client.write_all(&record(HANDSHAKE, fragment))?;
        }
    }
}

/// One TLS record with its header; empty at the end.
pub(super) fn read_record(from: &mut impl Read) -> io::Result<Vec<u8>> {
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
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

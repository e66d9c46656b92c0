//! Records, and the reader that cuts a byte stream into them.

use std::fmt;

use super::content_type::ContentType;
use super::error::TlsError;
use super::version::ProtocolVersion;
use crate::error::DecodeError;

/// Bytes in front of every record: type, version, length (RFC 5246 §6.2.1).
pub const RECORD_HEADER_LEN: usize = 5;

/// Most bytes after the header: 2^14 of content and 2048 of protection (RFC 5246 §6.2.3).
pub const MAX_RECORD_PAYLOAD: usize = (1 << 14) + 2048;

/// One whole record with its header.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    header: RecordHeader,
    bytes: Vec<u8>,
}

impl Record {
    /// Takes the bytes of exactly one record, header first.
    ///
    /// # Errors
    /// [`TlsError`] if the header is not that of a TLS record or its length is not that of
    /// `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, TlsError> {
        let (header, payload) = RecordHeader::split(bytes)?;
        if payload.len() > header.payload_len {
            let got = payload.len() - header.payload_len;
            return Err(DecodeError::TrailingBytes {
                what: "TLS record",
                got,
            }
            .into());
        }
        if payload.len() < header.payload_len {
            return Err(truncated(header.payload_len, payload.len()));
        }
        Ok(Self {
            header,
            bytes: bytes.to_vec(),
        })
    }

    /// Cuts bytes that hold whole records and nothing else.
    ///
    /// # Errors
    /// [`TlsError`] if a header is wrong or the last record is not whole.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, TlsError> {
        let mut reader = RecordReader::new();
        reader.push(bytes);
        let mut records = Vec::new();
        while let Some(record) = reader.next_record()? {
            records.push(record);
        }
        match reader.buffered() {
            [] => Ok(records),
            rest => match RecordHeader::split(rest) {
                Ok((header, payload)) => Err(truncated(header.payload_len, payload.len())),
                Err(error) => Err(error),
            },
        }
    }

    /// What the payload is.
    #[must_use]
    pub fn content_type(&self) -> ContentType {
        self.header.content_type
    }

    /// The version in the header.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.header.version
    }

    /// The bytes after the header.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(RECORD_HEADER_LEN..).unwrap_or_default()
    }

    /// The record as it was on the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The record as it was on the wire, taken out.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Shows the header only: a payload may have been decrypted in place.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("content_type", &self.content_type())
            .field("version", &self.version())
            .field("payload_len", &self.payload().len())
            .finish()
    }
}

/// Cuts a byte stream into records.
///
/// Bytes go in with [`push`](Self::push) in pieces of any size; records come out with
/// [`next_record`](Self::next_record), or without a copy with
/// [`next_record_mut`](Self::next_record_mut). The reader looks at headers only. It holds what was
/// pushed and not yet taken, so the caller bounds it by taking records before reading more.
/// An error stays: the stream has lost its frame.
#[derive(Default)]
pub struct RecordReader {
    buffer: Vec<u8>,
    start: usize,
}

impl RecordReader {
    /// A reader at the border of two records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes as they came from the connection.
    pub fn push(&mut self, bytes: &[u8]) {
        // Moving the rest to the front only when it is the smaller part keeps the cost linear.
        if self.start >= self.buffer.len() - self.start {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole record, or nothing before all of it was pushed.
    ///
    /// # Errors
    /// [`TlsError::NotTls`] if the header has a version of something else,
    /// [`TlsError::RecordTooLong`] if it has a length above [`MAX_RECORD_PAYLOAD`].
    pub fn next_record(&mut self) -> Result<Option<Record>, TlsError> {
        let Some((header, end)) = self.next_end()? else {
            return Ok(None);
        };
        let bytes = self
            .buffer
            .get(self.start..end)
            .unwrap_or_default()
            .to_vec();
        self.start = end;
        Ok(Some(Record { header, bytes }))
    }

    /// The next whole record, header included, to be opened where it lies. What is left there
    /// is overwritten by later pushes.
    ///
    /// # Errors
    /// As [`next_record`](Self::next_record).
    pub fn next_record_mut(&mut self) -> Result<Option<&mut [u8]>, TlsError> {
        let Some((_, end)) = self.next_end()? else {
            return Ok(None);
        };
        let start = std::mem::replace(&mut self.start, end);
        Ok(self.buffer.get_mut(start..end))
    }

    /// How many bytes can be read without reading beyond the next record: what its header lacks,
    /// and once that is there what the record lacks. 0 if it is whole.
    #[must_use]
    pub fn missing(&self) -> usize {
        let buffered = self.buffered();
        let whole = match buffered {
            [_, _, _, high, low, ..] => {
                RECORD_HEADER_LEN + usize::from(u16::from_be_bytes([*high, *low]))
            }
            _ => RECORD_HEADER_LEN,
        };
        whole.saturating_sub(buffered.len())
    }

    /// What was pushed and not yet taken.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Takes out what was pushed and not yet taken.
    #[must_use]
    pub fn into_rest(mut self) -> Vec<u8> {
        self.buffer.split_off(self.start)
    }

    /// Header of the next record and the index after its last byte, once it is whole.
    fn next_end(&self) -> Result<Option<(RecordHeader, usize)>, TlsError> {
        let buffered = self.buffered();
        if buffered.len() < RECORD_HEADER_LEN {
            return Ok(None);
        }
        let (header, payload) = RecordHeader::split(buffered)?;
        if payload.len() < header.payload_len {
            return Ok(None);
        }
        Ok(Some((
            header,
            self.start + RECORD_HEADER_LEN + header.payload_len,
        )))
    }
}

/// Shows how much is waiting, not what.
impl fmt::Debug for RecordReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordReader({} bytes)", self.buffered().len())
    }
}

/// The first five bytes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) content_type: ContentType,
    pub(super) version: ProtocolVersion,
    pub(super) payload_len: usize,
}

impl RecordHeader {
    /// Reads the header and gives the bytes after it, however many there are.
    pub(super) fn split(bytes: &[u8]) -> Result<(Self, &[u8]), TlsError> {
        let Some((&[content_type, major, minor, high, low], payload)) = bytes.split_first_chunk()
        else {
            return Err(truncated(RECORD_HEADER_LEN, bytes.len()));
        };
        let version = ProtocolVersion(u16::from_be_bytes([major, minor]));
        if major != 3 {
            return Err(TlsError::NotTls { got: version });
        }
        let payload_len = usize::from(u16::from_be_bytes([high, low]));
        if payload_len > MAX_RECORD_PAYLOAD {
            let (max, got) = (MAX_RECORD_PAYLOAD, payload_len);
            return Err(TlsError::RecordTooLong { max, got });
        }
        Ok((
            Self {
                content_type: content_type.into(),
                version,
                payload_len,
            },
            payload,
        ))
    }
}

fn truncated(need: usize, got: usize) -> TlsError {
    DecodeError::Truncated {
        what: "TLS record",
        need,
        got,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::samples::{hex, record};

    #[test]
    fn two_records_in_one_read_come_out_one_by_one() {
        let mut reader = RecordReader::new();
        reader.push(&hex("1503010002 0228 1603030001 FF 17"));
        let alert = reader.next_record().unwrap().unwrap();
        assert_eq!(alert.content_type(), ContentType::Alert);
        assert_eq!(alert.version(), ProtocolVersion::TLS1_0);
        assert_eq!(alert.payload(), [2, 0x28]);
        let handshake = reader.next_record().unwrap().unwrap();
        assert_eq!(handshake.bytes(), hex("1603030001FF"));
        assert_eq!(reader.next_record().unwrap(), None);
        assert_eq!(reader.buffered(), [0x17]);
        assert_eq!(reader.into_rest(), [0x17]);
    }

    #[test]
    fn what_is_missing_never_reaches_into_the_next_record() {
        let bytes = hex("1503010002 0228 1603030000 1703030003 010203");
        let (mut reader, mut rest, mut records) = (RecordReader::new(), &bytes[..], 0);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(reader.missing());
            reader.push(now);
            rest = later;
            if reader.missing() == 0 {
                assert!(reader.next_record().unwrap().is_some());
                assert_eq!((reader.buffered().len(), reader.missing()), (0, 5));
                records += 1;
            }
        }
        assert_eq!(records, 3);
    }

    #[test]
    fn a_record_can_be_changed_in_place() {
        let mut reader = RecordReader::new();
        reader.push(&hex("1703030002 0102 1703030001 03"));
        let first = reader.next_record_mut().unwrap().unwrap();
        first[5..].fill(0);
        assert_eq!(first, hex("1703030002 0000"));
        assert_eq!(
            reader.next_record_mut().unwrap().unwrap(),
            hex("1703030001 03")
        );
        assert_eq!(reader.next_record_mut().unwrap(), None);
    }

    #[test]
    fn the_longest_record_passes_and_one_byte_more_does_not() {
        let longest = record(23, 0x0303, &vec![0; MAX_RECORD_PAYLOAD]);
        assert_eq!(
            Record::decode(&longest).unwrap().payload().len(),
            MAX_RECORD_PAYLOAD
        );
        let mut reader = RecordReader::new();
        reader.push(&hex("17 0303 4801"));
        let too_long = TlsError::RecordTooLong {
            max: 18432,
            got: 18433,
        };
        assert_eq!(reader.next_record(), Err(too_long.clone()));
        assert_eq!(reader.next_record(), Err(too_long));
    }

    #[test]
    fn a_server_that_speaks_no_tls_is_found_out_by_five_bytes() {
        let mut reader = RecordReader::new();
        reader.push(b"HTTP/1.1 400 Bad Request");
        let got = ProtocolVersion(0x5454);
        assert_eq!(reader.next_record(), Err(TlsError::NotTls { got }));
    }

    #[test]
    fn one_record_is_neither_shorter_nor_longer_than_it_says() {
        assert!(Record::decode(&hex("1603030002 01")).is_err());
        assert!(Record::decode(&hex("1603030002 010203")).is_err());
        assert!(Record::decode_all(&hex("1603030001 01 160303")).is_err());
        assert!(Record::decode_all(&hex("1603030001 01 1603030002 01")).is_err());
        assert_eq!(Record::decode_all(&[]).unwrap(), []);
    }

    #[test]
    fn shows_its_header_only() {
        let record = Record::decode(&hex("1703030002 A5A5")).unwrap();
        let shown = format!("{record:?}");
        assert!(
            shown.contains("payload_len: 2") && !shown.contains("165"),
            "{shown}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn records_survive_any_cut_of_the_stream(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
            cuts in prop::collection::vec(1..200usize, 1..20),
        ) {
            let whole: Vec<Vec<u8>> = payloads.iter().map(|p| record(22, 0x0303, p)).collect();
            let stream = whole.concat();
            let mut reader = RecordReader::new();
            let mut out = Vec::new();
            let mut rest = stream.as_slice();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                reader.push(now);
                rest = later;
                while let Some(record) = reader.next_record().unwrap() {
                    out.push(record.into_bytes());
                }
            }
            prop_assert!(reader.buffered().is_empty());
            prop_assert_eq!(out, whole);
        }

        #[test]
        fn every_strict_prefix_of_a_record_is_refused(
            payload in prop::collection::vec(any::<u8>(), 0..100), cut in any::<prop::sample::Index>(),
        ) {
            let whole = record(23, 0x0301, &payload);
            prop_assert_eq!(Record::decode(&whole).unwrap().into_bytes(), whole.clone());
            prop_assert!(Record::decode(&whole[..cut.index(whole.len())]).is_err());
        }

        #[test]
        fn garbage_is_an_error_or_a_record(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = RecordReader::new();
            reader.push(&bytes);
            while let Ok(Some(record)) = reader.next_record() {
                prop_assert_eq!(Record::decode(record.bytes()).unwrap(), record);
            }
        }
    }
}

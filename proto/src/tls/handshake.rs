//! Handshake messages, put together over records.

use std::fmt;

use zeroize::Zeroizing;

use super::error::TlsError;
use crate::error::DecodeError;

/// Bytes in front of every handshake message: type and length (RFC 5246 §7.4).
const HEADER_LEN: usize = 4;

/// What a handshake message is: its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeType {
    /// 0, up to TLS 1.2: the server asks for a new handshake.
    HelloRequest,
    /// 1.
    ClientHello,
    /// 2.
    ServerHello,
    /// 4.
    NewSessionTicket,
    /// 8, TLS 1.3.
    EncryptedExtensions,
    /// 11.
    Certificate,
    /// 12, up to TLS 1.2.
    ServerKeyExchange,
    /// 13.
    CertificateRequest,
    /// 14, up to TLS 1.2.
    ServerHelloDone,
    /// 15.
    CertificateVerify,
    /// 16, up to TLS 1.2.
    ClientKeyExchange,
    /// 20.
    Finished,
    /// 22, up to TLS 1.2 (RFC 6066 §8).
    CertificateStatus,
    /// 24, TLS 1.3.
    KeyUpdate,
    /// Any other value.
    Other(u8),
}

impl From<u8> for HandshakeType {
    fn from(byte: u8) -> Self {
        match byte {
            0 => Self::HelloRequest,
            1 => Self::ClientHello,
            2 => Self::ServerHello,
            4 => Self::NewSessionTicket,
            8 => Self::EncryptedExtensions,
            11 => Self::Certificate,
            12 => Self::ServerKeyExchange,
            13 => Self::CertificateRequest,
            14 => Self::ServerHelloDone,
            15 => Self::CertificateVerify,
            16 => Self::ClientKeyExchange,
            20 => Self::Finished,
            22 => Self::CertificateStatus,
            24 => Self::KeyUpdate,
            other => Self::Other(other),
        }
    }
}

/// The name in the specification: `ServerHelloDone`.
impl fmt::Display for HandshakeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(other) => write!(f, "handshake message {other}"),
            named => fmt::Debug::fmt(named, f),
        }
    }
}

/// One whole handshake message: type, three-byte length, body. Wiped on drop, never shown:
/// after the handshake it may hold a resumption secret.
pub struct HandshakeMessage {
    bytes: Zeroizing<Vec<u8>>,
}

impl HandshakeMessage {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> HandshakeType {
        self.bytes
            .first()
            .copied()
            .expect("a message has its header")
            .into()
    }

    /// The bytes after the header.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The whole message, header first.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole message, header first, taken out.
    #[must_use]
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }
}

impl fmt::Debug for HandshakeMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} bytes)", self.kind(), self.body().len())
    }
}

/// Puts handshake messages together from the payloads of handshake records.
///
/// A record may hold many messages and a message may span many records. What is held is never
/// more than one message of at most `max_message` bytes, header included.
pub struct HandshakeReader {
    max_message: usize,
    partial: Zeroizing<Vec<u8>>,
}

impl HandshakeReader {
    /// A reader at the border of two messages.
    #[must_use]
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message,
            partial: Zeroizing::default(),
        }
    }

    /// Whether a message has begun and not ended: no other record may come now (RFC 8446 §5.1).
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Takes bytes off the front of `payload` until a message is whole or `payload` is used up.
    /// Call until it gives nothing.
    ///
    /// # Errors
    /// [`TlsError::Decode`] as soon as a message announces more than the limit.
    pub fn read(&mut self, payload: &mut &[u8]) -> Result<Option<HandshakeMessage>, TlsError> {
        if self.partial.len() < HEADER_LEN {
            self.fill(HEADER_LEN, payload);
        }
        let Some(&[_, high, middle, low]) = self.partial.first_chunk() else {
            return Ok(None);
        };
        let body_len = u32::from_be_bytes([0, high, middle, low]);
        let total = usize::try_from(body_len)
            .ok()
            .and_then(|body_len| body_len.checked_add(HEADER_LEN))
            .filter(|total| *total <= self.max_message)
            .ok_or_else(|| DecodeError::TooLong {
                what: "handshake message",
                max: self.max_message,
                got: HEADER_LEN.saturating_add(usize::try_from(body_len).unwrap_or(usize::MAX)),
            })?;
        self.fill(total, payload);
        if self.partial.len() < total {
            return Ok(None);
        }
        Ok(Some(HandshakeMessage {
            bytes: std::mem::take(&mut self.partial),
        }))
    }

    /// Moves bytes over until `self.partial` has `len`. Grows into a new buffer, so that the old
    /// one can be wiped.
    fn fill(&mut self, len: usize, payload: &mut &[u8]) {
        if self.partial.capacity() < len {
            let mut grown = Zeroizing::new(Vec::with_capacity(len));
            grown.extend_from_slice(&self.partial);
            self.partial = grown;
        }
        let missing = len.saturating_sub(self.partial.len()).min(payload.len());
        let (now, later) = payload.split_at(missing);
        self.partial.extend_from_slice(now);
        *payload = later;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::samples::{hex, message};

    fn read_all(reader: &mut HandshakeReader, payload: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = payload;
        let mut out = Vec::new();
        while let Some(message) = reader.read(&mut rest).unwrap() {
            out.push(message.bytes().to_vec());
        }
        assert!(rest.is_empty());
        out
    }

    #[test]
    fn a_message_without_body_is_whole_with_its_header() {
        let mut reader = HandshakeReader::new(100);
        let mut payload = &hex("0E000000 0E")[..];
        let done = reader.read(&mut payload).unwrap().unwrap();
        assert_eq!(done.kind(), HandshakeType::ServerHelloDone);
        assert!(done.body().is_empty() && !reader.is_mid_message());
        assert!(reader.read(&mut payload).unwrap().is_none());
        assert!(reader.is_mid_message());
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_its_bytes_come() {
        let mut reader = HandshakeReader::new(10);
        assert!(reader.read(&mut &hex("0B000006")[..]).unwrap().is_none());
        let mut reader = HandshakeReader::new(10);
        assert_eq!(
            reader.read(&mut &hex("0B000007")[..]).err(),
            Some(
                DecodeError::TooLong {
                    what: "handshake message",
                    max: 10,
                    got: 11
                }
                .into()
            )
        );
    }

    #[test]
    fn shows_its_name_and_length_only() {
        let mut reader = HandshakeReader::new(100);
        let ticket = reader
            .read(&mut &hex("04000002 A5A5")[..])
            .unwrap()
            .unwrap();
        assert_eq!(format!("{ticket:?}"), "NewSessionTicket(2 bytes)");
        assert_eq!(HandshakeType::from(99).to_string(), "handshake message 99");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn messages_survive_any_cut_into_records(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6),
            cut in 1..64usize,
        ) {
            let whole: Vec<Vec<u8>> = bodies.iter().map(|body| message(11, body)).collect();
            let mut reader = HandshakeReader::new(300);
            let mut out = Vec::new();
            for payload in whole.concat().chunks(cut) {
                out.extend(read_all(&mut reader, payload));
            }
            prop_assert!(!reader.is_mid_message());
            prop_assert_eq!(out, whole);
        }

        #[test]
        fn a_strict_prefix_gives_no_message(
            body in prop::collection::vec(any::<u8>(), 0..60), cut in any::<prop::sample::Index>(),
        ) {
            let whole = message(2, &body);
            let mut reader = HandshakeReader::new(100);
            let mut prefix = &whole[..cut.index(whole.len())];
            prop_assert!(reader.read(&mut prefix).unwrap().is_none());
        }
    }
}

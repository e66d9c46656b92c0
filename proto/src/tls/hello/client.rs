//! ClientHello: what our card is about to offer.

use crate::codec::Reader;
use crate::error::DecodeError;
use crate::tls::cipher_suite::CipherSuite;
use crate::tls::content_type::ContentType;
use crate::tls::error::TlsError;
use crate::tls::extension::{self, Extensions, alpn_names};
use crate::tls::handshake::{HandshakeReader, HandshakeType};
use crate::tls::record::Record;
use crate::tls::version::ProtocolVersion;

/// Most bytes of a ClientHello; the largest real ones, with post-quantum key shares, have two
/// or three thousand.
const MAX_CLIENT_HELLO: usize = 1 << 16;

/// A ClientHello, without what only the two engines care for (RFC 5246 §7.4.1.2,
/// RFC 8446 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The version in the fixed part: the highest one up to TLS 1.2.
    pub version: ProtocolVersion,
    /// The supported_versions extension; empty without it.
    pub supported_versions: Vec<ProtocolVersion>,
    /// The session to resume, or what stands there for old middleboxes; may be empty.
    pub session_id: Vec<u8>,
    /// The session_ticket extension: empty bytes ask for a ticket, others offer one.
    pub session_ticket: Option<Vec<u8>>,
    /// Whether a TLS 1.3 session is offered.
    pub has_pre_shared_key: bool,
    /// The name in the server_name extension.
    pub server_name: Option<String>,
    /// The protocols in the ALPN extension, first choice first; empty without it.
    pub alpn: Vec<Vec<u8>>,
    /// The suites, first choice first.
    pub cipher_suites: Vec<CipherSuite>,
}

impl ClientHello {
    /// Reads whole handshake records that hold exactly one ClientHello.
    ///
    /// # Errors
    /// [`TlsError`] if anything else is in them or the message is malformed.
    pub fn from_records(bytes: &[u8]) -> Result<Self, TlsError> {
        let mut messages = HandshakeReader::new(MAX_CLIENT_HELLO);
        let mut hello = None;
        for record in Record::decode_all(bytes)? {
            if record.content_type() != ContentType::Handshake {
                let (expected, got) = ("a handshake record", record.content_type());
                return Err(TlsError::UnexpectedRecord { expected, got });
            }
            let mut payload = record.payload();
            if payload.is_empty() {
                return Err(TlsError::EmptyHandshakeRecord);
            }
            while let Some(message) = messages.read(&mut payload)? {
                let expected = if hello.is_none() {
                    "ClientHello"
                } else {
                    "nothing more"
                };
                if hello.is_some() || message.kind() != HandshakeType::ClientHello {
                    return Err(TlsError::UnexpectedMessage {
                        expected,
                        got: message.kind(),
                    });
                }
                hello = Some(Self::decode(message.body())?);
            }
        }
        let what = "ClientHello";
        if messages.is_mid_message() {
            let got = bytes.len();
            return Err(DecodeError::Truncated {
                what,
                need: got + 1,
                got,
            }
            .into());
        }
        hello.ok_or_else(|| {
            DecodeError::Truncated {
                what,
                need: 1,
                got: 0,
            }
            .into()
        })
    }

    /// Reads the body of the message.
    ///
    /// # Errors
    /// [`TlsError`] if it is malformed.
    pub fn decode(body: &[u8]) -> Result<Self, TlsError> {
        let mut reader = Reader::new(body);
        let version = ProtocolVersion(reader.u16("client_version")?);
        reader.take(32, "client random")?;
        let session_id = reader.vec8("session_id")?.to_vec();
        let cipher_suites = u16_list(reader.vec16("cipher_suites")?, "cipher suite")?;
        reader.vec8("compression_methods")?;
        let mut extensions = Extensions::of_hello(&mut reader)?;
        reader.finish("ClientHello")?;

        let mut hello = Self {
            version,
            supported_versions: Vec::new(),
            session_id,
            session_ticket: None,
            has_pre_shared_key: false,
            server_name: None,
            alpn: Vec::new(),
            cipher_suites: cipher_suites.into_iter().map(CipherSuite).collect(),
        };
        while let Some((code, mut data)) = extensions.next()? {
            match code {
                extension::SUPPORTED_VERSIONS => {
                    let versions = u16_list(data.vec8("supported_versions")?, "version")?;
                    data.finish("supported_versions")?;
                    hello.supported_versions = versions.into_iter().map(ProtocolVersion).collect();
                }
                extension::SESSION_TICKET => hello.session_ticket = Some(data.rest().to_vec()),
                extension::PRE_SHARED_KEY => hello.has_pre_shared_key = true,
                extension::SERVER_NAME => hello.server_name = Some(host_name(data)?),
                extension::ALPN => hello.alpn = alpn_names(data)?,
                _ => {}
            }
        }
        Ok(hello)
    }

    /// Whether the server may choose TLS 1.3.
    #[must_use]
    pub fn offers_tls13(&self) -> bool {
        self.supported_versions.contains(&ProtocolVersion::TLS1_3)
    }
}

fn u16_list(bytes: &[u8], what: &'static str) -> Result<Vec<u16>, TlsError> {
    let mut reader = Reader::new(bytes);
    let mut values = Vec::with_capacity(bytes.len() / 2);
    while !reader.is_empty() {
        values.push(reader.u16(what)?);
    }
    Ok(values)
}

/// Reads a server_name extension: `length2 (type1 length2 name)*`, one name of type 0.
fn host_name(mut data: Reader<'_>) -> Result<String, TlsError> {
    let what = "server_name";
    let mut list = Reader::new(data.vec16(what)?);
    data.finish(what)?;
    let name_type = list.u8("server_name type")?;
    let name = list.vec16("host name")?;
    list.finish(what)?;
    if name_type != 0 {
        return Err(DecodeError::Unexpected {
            what: "server_name type",
            got: name_type.into(),
        }
        .into());
    }
    if let Some(&odd) = name.iter().find(|byte| !byte.is_ascii_graphic()) {
        return Err(DecodeError::Unexpected {
            what: "byte in a host name",
            got: odd.into(),
        }
        .into());
    }
    Ok(name.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::samples::{
        ClientHelloSample, Direction, ext_aes_flights, hex, message, record, split_records,
    };

    #[test]
    fn hellos_of_the_recorded_card_are_read() {
        let flights = ext_aes_flights();
        let first = ClientHello::from_records(&flights[0].bytes).unwrap();
        assert_eq!(flights[0].direction, Direction::FromCard);
        assert_eq!(first.version, ProtocolVersion::TLS1_0);
        assert_eq!(first.cipher_suites, [CipherSuite(0x002F)]);
        assert!(first.session_id.is_empty() && !first.offers_tls13());
        assert_eq!((first.server_name, first.session_ticket), (None, None));

        // The abbreviated handshake of the same file offers the session of the full one.
        let second = ClientHello::from_records(&flights[4].bytes).unwrap();
        assert_eq!(second.session_id.len(), 32);
        assert_eq!(second.session_id[..4], hex("8DE896E7"));
    }

    #[test]
    fn extensions_are_read() {
        let sample = ClientHelloSample {
            versions: vec![0x0304, 0x0303],
            session_id: vec![9; 32],
            ticket: Some(vec![7; 5]),
            pre_shared_key: true,
            server_name: Some("web01.example.org".to_owned()),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            suites: vec![0x1301, 0xC02F],
        };
        let hello = ClientHello::decode(&sample.body()).unwrap();
        assert!(hello.offers_tls13() && hello.has_pre_shared_key);
        assert_eq!(hello.session_ticket, Some(vec![7; 5]));
        assert_eq!(hello.server_name.as_deref(), Some("web01.example.org"));
        assert_eq!(hello.alpn, [&b"h2"[..], b"http/1.1"]);
        assert_eq!(
            hello.cipher_suites,
            [CipherSuite(0x1301), CipherSuite(0xC02F)]
        );
    }

    #[test]
    fn a_host_name_is_one_and_printable() {
        let name = |text| host_name(Reader::new(&hex(text)));
        assert_eq!(name("0004 00 0001 61").unwrap(), "a");
        for text in [
            "0004 01 0001 61",            // another type of name
            "0008 00 0001 61 00 0001 62", // two names
            "0004 00 0001 0A",            // a line feed
            "0004 00 0001 E9",            // not ASCII
            "0004 00 0001 61 00",         // trailing byte
            "0000",
        ] {
            assert!(name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_else_may_be_in_the_records() {
        let hello = message(1, &ClientHelloSample::default().body());
        let whole = record(22, 0x0301, &hello);
        assert!(ClientHello::from_records(&whole).is_ok());
        assert!(ClientHello::from_records(&split_records(22, 0x0301, &hello, 7)).is_ok());

        let twice = [whole.clone(), whole.clone()].concat();
        let with_alert = [whole.clone(), record(21, 0x0301, &[1, 0])].concat();
        let with_empty = [whole.clone(), record(22, 0x0301, &[])].concat();
        let with_start = record(22, 0x0301, &[&hello[..], &[1]].concat());
        let other = record(22, 0x0301, &message(2, &hello));
        for bytes in [vec![], twice, with_alert, with_empty, with_start, other] {
            assert!(ClientHello::from_records(&bytes).is_err(), "{bytes:02X?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn hellos_survive_and_their_strict_prefixes_do_not(
            sample in ClientHelloSample::strategy(), cut in any::<prop::sample::Index>(),
        ) {
            let whole = record(22, 0x0301, &message(1, &sample.body()));
            let hello = ClientHello::from_records(&whole).unwrap();
            prop_assert_eq!(ClientHelloSample::of(&hello), sample);
            prop_assert!(ClientHello::from_records(&whole[..cut.index(whole.len())]).is_err());
        }

        #[test]
        fn a_cut_body_is_never_taken_for_another_hello(
            sample in ClientHelloSample::strategy(), cut in any::<prop::sample::Index>(),
        ) {
            let body = sample.body();
            let len = cut.index(body.len());
            // Without its extension block a hello is whole again: TLS 1.0 knows none.
            let at_block = len == sample.len_without_extensions();
            prop_assert_eq!(ClientHello::decode(&body[..len]).is_ok(), at_block);
        }

        #[test]
        fn garbage_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(ClientHello::from_records(&bytes).is_err());
            let _either = ClientHello::decode(&bytes);
        }
    }
}

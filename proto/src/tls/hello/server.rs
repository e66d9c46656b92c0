//! ServerHello: what the server chose.

use crate::codec::Reader;
use crate::error::DecodeError;
use crate::tls::cipher_suite::CipherSuite;
use crate::tls::error::TlsError;
use crate::tls::extension::{self, Extensions, alpn_names};
use crate::tls::version::ProtocolVersion;

/// A ServerHello (RFC 5246 §7.4.1.3, RFC 8446 §4.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// The version chosen: that of supported_versions if it is there, else that of the fixed part.
    pub version: ProtocolVersion,
    /// Up to TLS 1.2 the session, new or resumed; may be empty.
    pub session_id: Vec<u8>,
    /// The suite chosen.
    pub cipher_suite: CipherSuite,
    /// Whether the master secret is bound to the handshake (RFC 7627).
    pub extended_master_secret: bool,
    /// Whether block ciphers authenticate the ciphertext (RFC 7366).
    pub encrypt_then_mac: bool,
    /// The application protocol chosen, where the server says so in clear.
    pub alpn: Option<Vec<u8>>,
    /// Whether it is a HelloRetryRequest of TLS 1.3.
    pub is_retry: bool,
    /// Whether a NewSessionTicket is promised before the server's Finished (RFC 5077).
    pub session_ticket_expected: bool,
}

impl ServerHello {
    /// Reads the body of the message.
    ///
    /// # Errors
    /// [`TlsError`] if it is malformed, chooses compression, or chooses a version in a way that
    /// no version allows.
    pub fn decode(body: &[u8]) -> Result<Self, TlsError> {
        let mut reader = Reader::new(body);
        let fixed_version = ProtocolVersion(reader.u16("server_version")?);
        let random = reader.array("server random")?;
        let session_id = reader.vec8("session_id")?;
        if session_id.len() > MAX_SESSION_ID {
            let (max, got) = (MAX_SESSION_ID, session_id.len());
            return Err(DecodeError::TooLong {
                what: "session_id",
                max,
                got,
            }
            .into());
        }
        let cipher_suite = CipherSuite(reader.u16("cipher_suite")?);
        match reader.u8("compression_method")? {
            0 => {}
            other => return Err(unexpected("compression_method", other.into())),
        }
        let mut extensions = Extensions::of_hello(&mut reader)?;
        reader.finish("ServerHello")?;

        let mut hello = Self {
            version: fixed_version,
            session_id: session_id.to_vec(),
            cipher_suite,
            extended_master_secret: false,
            encrypt_then_mac: false,
            alpn: None,
            is_retry: random == RETRY_RANDOM,
            session_ticket_expected: false,
        };
        let mut chosen = None;
        while let Some((code, mut data)) = extensions.next()? {
            match code {
                extension::SUPPORTED_VERSIONS => {
                    chosen = Some(ProtocolVersion(data.u16("selected_version")?));
                    data.finish("supported_versions")?;
                }
                extension::EXTENDED_MASTER_SECRET => {
                    data.finish("extended_master_secret")?;
                    hello.extended_master_secret = true;
                }
                extension::ENCRYPT_THEN_MAC => {
                    data.finish("encrypt_then_mac")?;
                    hello.encrypt_then_mac = true;
                }
                extension::SESSION_TICKET => {
                    data.finish("session_ticket")?;
                    hello.session_ticket_expected = true;
                }
                extension::ALPN => hello.alpn = Some(the_one_name(alpn_names(data)?)?),
                _ => {}
            }
        }
        hello.version = negotiated(fixed_version, chosen)?;
        Ok(hello)
    }
}

/// Most bytes of a session id (RFC 5246 §7.4.1.2).
const MAX_SESSION_ID: usize = 32;

/// The random value that marks a HelloRetryRequest: SHA-256 of its name (RFC 8446 §4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// The extension may name TLS 1.3 only, with 1.2 in the fixed part; the fixed part alone may name
/// TLS 1.0 to 1.2 (RFC 8446 §4.2.1).
fn negotiated(
    fixed: ProtocolVersion,
    chosen: Option<ProtocolVersion>,
) -> Result<ProtocolVersion, TlsError> {
    match chosen {
        Some(ProtocolVersion::TLS1_3) if fixed == ProtocolVersion::TLS1_2 => {
            Ok(ProtocolVersion::TLS1_3)
        }
        Some(ProtocolVersion::TLS1_3) => Err(unexpected("server_version", fixed.0.into())),
        Some(other) => Err(unexpected("selected_version", other.0.into())),
        None if (ProtocolVersion::TLS1_0..=ProtocolVersion::TLS1_2).contains(&fixed) => Ok(fixed),
        None => Err(unexpected("server_version", fixed.0.into())),
    }
}

fn the_one_name(names: Vec<Vec<u8>>) -> Result<Vec<u8>, TlsError> {
    let [name]: [Vec<u8>; 1] =
        names
            .try_into()
            .map_err(|names: Vec<Vec<u8>>| DecodeError::TooLong {
                what: "ALPN protocols chosen",
                max: 1,
                got: names.len(),
            })?;
    Ok(name)
}

fn unexpected(what: &'static str, got: u64) -> TlsError {
    DecodeError::Unexpected { what, got }.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::samples::{ServerHelloSample, hex};

    #[test]
    fn the_version_is_that_of_the_extension_if_it_is_there() {
        let tls13 = ServerHelloSample {
            version: 0x0304,
            ..ServerHelloSample::default()
        };
        assert_eq!(
            ServerHello::decode(&tls13.body()).unwrap().version,
            ProtocolVersion::TLS1_3
        );
        for version in [0x0301, 0x0302, 0x0303] {
            let sample = ServerHelloSample {
                version,
                ..ServerHelloSample::default()
            };
            assert_eq!(
                ServerHello::decode(&sample.body()).unwrap().version.0,
                version
            );
        }
    }

    #[test]
    fn versions_are_chosen_in_no_other_way() {
        let v = ProtocolVersion;
        for (fixed, chosen) in [
            (0x0300, None),
            (0x0304, None),
            (0xFEFD, None),
            (0x0303, Some(0x0303)),
            (0x0303, Some(0x0305)),
            (0x0304, Some(0x0304)),
            (0x0301, Some(0x0304)),
        ] {
            assert!(
                negotiated(v(fixed), chosen.map(v)).is_err(),
                "{fixed:04X} {chosen:04X?}"
            );
        }
    }

    #[test]
    fn a_retry_is_known_by_its_random() {
        let mut body = ServerHelloSample {
            version: 0x0304,
            ..ServerHelloSample::default()
        }
        .body();
        assert!(!ServerHello::decode(&body).unwrap().is_retry);
        body[2..34].copy_from_slice(&RETRY_RANDOM);
        assert!(ServerHello::decode(&body).unwrap().is_retry);
        let digest = ring::digest::digest(&ring::digest::SHA256, b"HelloRetryRequest");
        assert_eq!(digest.as_ref(), RETRY_RANDOM);
    }

    #[test]
    fn compression_is_refused() {
        let mut body = hex("0301");
        body.extend([0; 32]);
        body.extend(hex("00 002F 00"));
        assert!(ServerHello::decode(&body).is_ok());
        *body.last_mut().unwrap() = 1;
        assert_eq!(
            ServerHello::decode(&body),
            Err(unexpected("compression_method", 1))
        );
    }

    #[test]
    fn a_session_id_above_32_bytes_is_refused() {
        let sample = |len| ServerHelloSample {
            session_id: vec![1; len],
            ..Default::default()
        };
        assert!(ServerHello::decode(&sample(32).body()).is_ok());
        assert!(ServerHello::decode(&sample(33).body()).is_err());
    }

    #[test]
    fn one_protocol_is_chosen_not_two() {
        let two = alpn_names(Reader::new(&hex("0006 026832 026833"))).unwrap();
        assert!(the_one_name(two).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn hellos_survive_and_their_strict_prefixes_do_not(
            sample in ServerHelloSample::strategy(), cut in any::<prop::sample::Index>(),
        ) {
            let body = sample.body();
            prop_assert_eq!(ServerHelloSample::of(&ServerHello::decode(&body).unwrap()), sample.clone());
            let len = cut.index(body.len());
            // Without its extension block a hello is whole again: TLS 1.0 knows none.
            let at_block = len == sample.len_without_extensions();
            prop_assert_eq!(ServerHello::decode(&body[..len]).is_ok(), at_block);
        }

        #[test]
        fn garbage_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _either = ServerHello::decode(&bytes);
        }
    }
}

//! What the next handshake shall be like (PROPOSED).

use crate::codec::Reader;
use crate::error::DecodeError;

/// Parameters for the next handshake, sent between Set-Identity and the start packet.
///
/// Bytes: per parameter a tag, a length byte and the value.
///
/// | Tag | Value |
/// |---|---|
/// | 01 | server name for SNI, ASCII |
/// | 02 | ALPN protocols, each with a length byte |
/// | 03 | lowest version, highest version, two bytes each |
/// | 04 | flags: 01 = forget the stored session first |
///
/// Source: specs/eap-tls-card.md §9.3a (PROPOSED).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NextHandshake {
    /// Server name for SNI.
    pub server_name: Option<String>,
    /// Application protocols in order of preference; none if empty.
    pub alpn: Vec<Vec<u8>>,
    /// Lowest and highest protocol version, 0303 for TLS 1.2.
    pub versions: Option<(u16, u16)>,
    /// Whether the card shall forget its stored session before this handshake.
    pub forget_session: bool,
}

impl NextHandshake {
    /// Its bytes. Flags are written only if one is set.
    ///
    /// # Errors
    /// [`NextHandshakeError`] if a value is empty or too long for its length byte.
    pub fn encode(&self) -> Result<Vec<u8>, NextHandshakeError> {
        let mut bytes = Vec::new();
        if let Some(name) = &self.server_name {
            put(&mut bytes, TAG_SERVER_NAME, name.as_bytes(), "server name")?;
        }
        if !self.alpn.is_empty() {
            let mut list = Vec::new();
            for protocol in &self.alpn {
                list.push(length(protocol, "ALPN protocol")?);
                list.extend_from_slice(protocol);
            }
            put(&mut bytes, TAG_ALPN, &list, "ALPN list")?;
        }
        if let Some((lowest, highest)) = self.versions {
            let [a, b] = lowest.to_be_bytes();
            let [c, d] = highest.to_be_bytes();
            put(&mut bytes, TAG_VERSIONS, &[a, b, c, d], "versions")?;
        }
        if self.forget_session {
            put(&mut bytes, TAG_FLAGS, &[FLAG_FORGET], "flags")?;
        }
        Ok(bytes)
    }

    /// Reads parameters, as a card does: each at most once, no unknown tag or flag.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut seen = 0u8;
        let mut parameters = Self::default();
        while !reader.is_empty() {
            let tag = reader.u8("parameter tag")?;
            let value = reader.vec8("parameter")?;
            let bit = match tag {
                TAG_SERVER_NAME..=TAG_FLAGS => 1 << tag,
                _ => return Err(unexpected("parameter tag", tag)),
            };
            if seen & bit != 0 {
                return Err(unexpected("repeated parameter tag", tag));
            }
            seen |= bit;
            parameters.set(tag, value)?;
        }
        Ok(parameters)
    }

    fn set(&mut self, tag: u8, value: &[u8]) -> Result<(), DecodeError> {
        match tag {
            TAG_SERVER_NAME => self.server_name = Some(server_name(value)?),
            TAG_ALPN => self.alpn = protocols(value)?,
            TAG_VERSIONS => {
                let mut reader = Reader::new(value);
                let range = (
                    reader.u16("lowest version")?,
                    reader.u16("highest version")?,
                );
                reader.finish("versions")?;
                self.versions = Some(range);
            }
            _ => match value {
                [flags] if *flags & !FLAG_FORGET == 0 => {
                    self.forget_session = *flags == FLAG_FORGET;
                }
                [flags] => return Err(unexpected("flags", *flags)),
                _ => {
                    let (what, need, got) = ("flags", 1, value.len());
                    return Err(DecodeError::Truncated { what, need, got });
                }
            },
        }
        Ok(())
    }
}

fn server_name(value: &[u8]) -> Result<String, DecodeError> {
    let what = "server name";
    let odd = value.iter().find(|byte| !byte.is_ascii_graphic());
    match odd {
        Some(byte) => Err(unexpected(what, *byte)),
        None if value.is_empty() => Err(DecodeError::Truncated {
            what,
            need: 1,
            got: 0,
        }),
        None => Ok(value.iter().copied().map(char::from).collect()),
    }
}

fn protocols(value: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut reader = Reader::new(value);
    let mut protocols = Vec::new();
    loop {
        match reader.vec8("ALPN protocol")? {
            [] => return Err(unexpected("ALPN protocol length", 0)),
            protocol => protocols.push(protocol.to_vec()),
        }
        if reader.is_empty() {
            return Ok(protocols);
        }
    }
}

fn unexpected(what: &'static str, got: u8) -> DecodeError {
    let got = got.into();
    DecodeError::Unexpected { what, got }
}

fn put(
    bytes: &mut Vec<u8>,
    tag: u8,
    value: &[u8],
    what: &'static str,
) -> Result<(), NextHandshakeError> {
    bytes.push(tag);
    bytes.push(length(value, what)?);
    bytes.extend_from_slice(value);
    Ok(())
}

fn length(value: &[u8], what: &'static str) -> Result<u8, NextHandshakeError> {
    match u8::try_from(value.len()) {
        Ok(length) if length > 0 => Ok(length),
        _ => Err(NextHandshakeError {
            what,
            got: value.len(),
        }),
    }
}

/// A value that its length byte cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} of {got} bytes, a card takes 1 to 255")]
pub struct NextHandshakeError {
    /// Which value.
    pub what: &'static str,
    /// Its bytes.
    pub got: usize,
}

const TAG_SERVER_NAME: u8 = 1;
const TAG_ALPN: u8 = 2;
const TAG_VERSIONS: u8 = 3;
const TAG_FLAGS: u8 = 4;
const FLAG_FORGET: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_four_parameters_have_their_bytes() {
        let parameters = NextHandshake {
            server_name: Some("a.b".to_owned()),
            alpn: vec![b"h2".to_vec(), b"x".to_vec()],
            versions: Some((0x0303, 0x0304)),
            forget_session: true,
        };
        let bytes = *b"\x01\x03a.b\x02\x05\x02h2\x01x\x03\x04\x03\x03\x03\x04\x04\x01\x01";
        assert_eq!(parameters.encode().as_deref(), Ok(&bytes[..]));
        assert_eq!(NextHandshake::decode(&bytes), Ok(parameters));
    }

    #[test]
    fn flags_may_be_there_without_being_set() {
        let nothing = NextHandshake::default();
        assert_eq!(NextHandshake::decode(&[4, 1, 0]), Ok(nothing.clone()));
        assert_eq!(NextHandshake::decode(&[]), Ok(nothing));
    }

    #[test]
    fn what_a_card_does_not_know_is_refused() {
        for bad in [
            &[5, 1, 0][..],
            &[0, 0],
            &[4, 1, 2],
            &[4, 0],
            &[4, 2, 1, 1],
            &[4, 1, 1, 4, 1, 1],
            &[1, 0],
            &[1, 2, b'a', b' '],
            &[1, 2, 0xC3, 0xA9],
            &[2, 0],
            &[2, 1, 0],
            &[2, 2, 3, b'h'],
            &[3, 3, 3, 3, 3],
            &[3, 5, 3, 3, 3, 3, 3],
        ] {
            assert!(NextHandshake::decode(bad).is_err(), "{bad:02X?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_sent() {
        let server_name = Some("n".repeat(256));
        let parameters = NextHandshake {
            server_name,
            ..NextHandshake::default()
        };
        let (what, got) = ("server name", 256);
        assert_eq!(parameters.encode(), Err(NextHandshakeError { what, got }));
        let parameters = NextHandshake {
            alpn: vec![Vec::new()],
            ..NextHandshake::default()
        };
        assert!(parameters.encode().is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_encoded_decodes_to_the_same_and_no_prefix_does(
            server_name in prop::option::of("[!-~]{1,40}"),
            alpn in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..4),
            versions: Option<(u16, u16)>, forget_session: bool, cut in any::<prop::sample::Index>(),
        ) {
            let parameters = NextHandshake { server_name, alpn, versions, forget_session };
            let bytes = parameters.encode().expect("short");
            prop_assert_eq!(NextHandshake::decode(&bytes), Ok(parameters.clone()));
            if !bytes.is_empty() {
                let prefix = &bytes[..cut.index(bytes.len())];
                prop_assert_ne!(NextHandshake::decode(prefix), Ok(parameters));
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(parameters) = NextHandshake::decode(&bytes) {
                let again = NextHandshake::decode(&parameters.encode().expect("was read"));
                prop_assert_eq!(again, Ok(parameters));
            }
        }
    }
}

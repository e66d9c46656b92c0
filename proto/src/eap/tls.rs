//! What an EAP packet carries when it is EAP-TLS.

use super::packet::{EapPacket, Method};
use crate::codec::Reader;
use crate::error::DecodeError;

/// The flags byte. Other bits than these three have no meaning.
///
/// Source: RFC 5216 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EapTlsFlags(pub u8);

impl EapTlsFlags {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// L and M: the first of several fragments.
    pub const FIRST_FRAGMENT: Self = Self(LENGTH_INCLUDED | MORE_FRAGMENTS);
    /// M: one in the middle.
    pub const MIDDLE_FRAGMENT: Self = Self(MORE_FRAGMENTS);
    /// S: begins a handshake.
    pub const START: Self = Self(0x20);

    /// L: the length of the whole flight is given.
    #[must_use]
    pub fn length_included(self) -> bool {
        self.0 & LENGTH_INCLUDED != 0
    }

    /// M: this is not the last fragment.
    #[must_use]
    pub fn more_fragments(self) -> bool {
        self.0 & MORE_FRAGMENTS != 0
    }
}

const LENGTH_INCLUDED: u8 = 0x80;
const MORE_FRAGMENTS: u8 = 0x40;

/// The body of an EAP-TLS packet: flags, the flight's length if flag L is set, TLS records or part
/// of them.
///
/// Source: RFC 5216 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EapTls<'a> {
    /// The flags.
    pub flags: EapTlsFlags,
    /// Length of the whole flight in bytes, as the sender says.
    pub total: Option<u32>,
    /// TLS data.
    pub data: &'a [u8],
}

impl<'a> EapTls<'a> {
    /// Reads the body of an EAP-TLS packet.
    ///
    /// # Errors
    /// [`DecodeError`] if the packet is about something else, or ends within flags or length.
    pub fn decode(packet: &EapPacket<'a>) -> Result<Self, DecodeError> {
        if packet.method != Some(Method::EapTls) {
            return Err(DecodeError::Unexpected {
                what: "EAP method",
                got: packet.method.map_or(0, u8::from).into(),
            });
        }
        let mut reader = Reader::new(packet.data);
        let flags = EapTlsFlags(reader.u8("EAP-TLS flags")?);
        let total = match flags.length_included() {
            true => Some(reader.u32("TLS message length")?),
            false => None,
        };
        let data = reader.rest();
        Ok(Self { flags, total, data })
    }

    /// The request packet with this body.
    ///
    /// `total` is written if flag L is set, as zero if there is none.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] for more than an EAP packet holds.
    pub fn request(&self, identifier: u8) -> Result<Vec<u8>, DecodeError> {
        let mut body = vec![self.flags.0];
        if self.flags.length_included() {
            body.extend(self.total.unwrap_or(0).to_be_bytes());
        }
        body.extend_from_slice(self.data);
        let packet = EapPacket {
            code: super::Code::Request,
            identifier,
            method: Some(Method::EapTls),
            data: &body,
        };
        packet.encode()
    }
}

/// The start packet with the time: `01 identifier 0006 0D 20`, then `unix_time` (4 bytes, seconds)
/// *behind* the EAP packet, which is how these cards want it.
///
/// Source: draft-urien-eap-smartcard, start packet; specs/eap-tls-card.md §6.
#[must_use]
pub fn start(identifier: u8, unix_time: u32) -> Vec<u8> {
    let mut bytes = bare(identifier, EapTlsFlags::START);
    bytes.extend(unix_time.to_be_bytes());
    bytes
}

/// The empty packet: acknowledges a fragment, or asks for the next piece.
/// `01 identifier 0006 0D 00`.
#[must_use]
pub fn acknowledge(identifier: u8) -> Vec<u8> {
    bare(identifier, EapTlsFlags::NONE)
}

fn bare(identifier: u8, flags: EapTlsFlags) -> Vec<u8> {
    let empty = EapTls {
        flags,
        total: None,
        data: &[],
    };
    empty.request(identifier).expect("six bytes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::eap::Code;

    #[test]
    fn start_and_empty_packet_are_those_of_the_recorded_sessions() {
        let recorded = [1, 0x14, 0, 6, 0x0D, 0x20, 0x6B, 0x00, 0xE2, 0x6A];
        assert_eq!(start(0x14, 0x6B00_E26A), recorded);
        assert_eq!(acknowledge(0x17), [1, 0x17, 0, 6, 0x0D, 0]);
    }

    #[test]
    fn the_length_is_read_where_its_flag_is_set() {
        let read = |data| {
            let (code, identifier) = (Code::Response, 1);
            let method = Some(Method::EapTls);
            EapTls::decode(&EapPacket {
                code,
                identifier,
                method,
                data,
            })
        };
        let with = read(&[0x80, 0, 0, 0, 0x32, 0x16]).expect("whole");
        assert_eq!((with.total, with.data), (Some(50), &[0x16][..]));
        let without = read(&[0x40, 0x16]).expect("whole");
        assert_eq!((without.total, without.data), (None, &[0x16][..]));
        assert!(without.flags.more_fragments());
        assert!(read(&[]).is_err());
        assert!(read(&[0x80, 0, 0, 0]).is_err());
    }

    #[test]
    fn another_method_is_not_taken_for_eap_tls() {
        let nak = EapPacket::decode(&[2, 2, 0, 5, 3]).expect("a packet");
        let (what, got) = ("EAP method", 3);
        assert_eq!(
            EapTls::decode(&nak),
            Err(DecodeError::Unexpected { what, got })
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_requested_decodes_to_the_same(
            identifier: u8, flags: u8, total: u32,
            data in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let flags = EapTlsFlags(flags);
            let total = flags.length_included().then_some(total);
            let body = EapTls { flags, total, data: &data };
            let bytes = body.request(identifier).expect("short");
            let packet = EapPacket::decode(&bytes).expect("what was encoded");
            prop_assert_eq!(packet.identifier, identifier);
            prop_assert_eq!(EapTls::decode(&packet), Ok(body));
        }
    }
}

//! One EAP packet.

use crate::codec::Reader;
use crate::error::DecodeError;

/// What a packet is.
///
/// Source: RFC 3748 §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 1: to the card.
    Request,
    /// 2: from the card.
    Response,
    /// 3.
    Success,
    /// 4.
    Failure,
    /// Any other.
    Other(u8),
}

impl From<u8> for Code {
    fn from(byte: u8) -> Self {
        match byte {
            1 => Self::Request,
            2 => Self::Response,
            3 => Self::Success,
            4 => Self::Failure,
            other => Self::Other(other),
        }
    }
}

impl From<Code> for u8 {
    fn from(code: Code) -> Self {
        match code {
            Code::Request => 1,
            Code::Response => 2,
            Code::Success => 3,
            Code::Failure => 4,
            Code::Other(other) => other,
        }
    }
}

/// What a request or response is about; EAP calls it the type.
///
/// Source: RFC 3748 §5, RFC 5216 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// 1: who are you.
    Identity,
    /// 3: not with me.
    Nak,
    /// 13.
    EapTls,
    /// Any other.
    Other(u8),
}

impl From<u8> for Method {
    fn from(byte: u8) -> Self {
        match byte {
            1 => Self::Identity,
            3 => Self::Nak,
            13 => Self::EapTls,
            other => Self::Other(other),
        }
    }
}

impl From<Method> for u8 {
    fn from(method: Method) -> Self {
        match method {
            Method::Identity => 1,
            Method::Nak => 3,
            Method::EapTls => 13,
            Method::Other(other) => other,
        }
    }
}

/// One EAP packet.
///
/// Bytes: code, identifier, length (2, of the whole packet), then for a request or response the
/// method and its data.
///
/// Source: RFC 3748 §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EapPacket<'a> {
    /// What it is.
    pub code: Code,
    /// Matches a response with its request.
    pub identifier: u8,
    /// What it is about; `None` if the packet ends before.
    pub method: Option<Method>,
    /// What follows the method; empty without one.
    pub data: &'a [u8],
}

impl<'a> EapPacket<'a> {
    /// Reads a packet that is all of `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`] if its length field says something else.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let code = reader.u8("EAP code")?.into();
        let identifier = reader.u8("EAP identifier")?;
        let length: usize = reader.u16("EAP length")?.into();
        let body_len = length
            .checked_sub(HEADER_LEN)
            .ok_or(DecodeError::Unexpected {
                what: "EAP length",
                got: length as u64,
            })?;
        let mut body = Reader::new(reader.take(body_len, "EAP packet")?);
        reader.finish("EAP packet")?;
        let method = match body.is_empty() {
            true => None,
            false => Some(body.u8("EAP method")?.into()),
        };
        let data = body.rest();
        Ok(Self {
            code,
            identifier,
            method,
            data,
        })
    }

    /// Its bytes.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] for more than the length field can say.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let got = HEADER_LEN + usize::from(self.method.is_some()) + self.data.len();
        let length = u16::try_from(got).map_err(|_| DecodeError::TooLong {
            what: "EAP packet",
            max: u16::MAX.into(),
            got,
        })?;
        let mut bytes = Vec::with_capacity(got);
        bytes.extend([self.code.into(), self.identifier]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.method.map(u8::from));
        bytes.extend_from_slice(self.data);
        Ok(bytes)
    }
}

/// Code, identifier, length.
const HEADER_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_nak_of_a_recorded_card_is_read() {
        let packet = EapPacket::decode(&[2, 2, 0, 5, 3]).expect("a packet");
        assert_eq!(packet.code, Code::Response);
        assert_eq!(packet.identifier, 2);
        assert_eq!(packet.method, Some(Method::Nak));
        assert!(packet.data.is_empty());
    }

    #[test]
    fn the_length_field_counts_the_whole_packet() {
        for bad in [
            &[][..],
            &[2, 1, 0],
            &[2, 1, 0, 3],
            &[2, 1, 0, 6, 13],
            &[2, 1, 0, 4, 13],
            // What a card gives back that takes a command for a packet: A0 80 00 00 0A.
            &[0xA0, 0x80, 0, 0, 0x0A],
        ] {
            assert!(EapPacket::decode(bad).is_err(), "{bad:02X?}");
        }
    }

    #[test]
    fn unknown_codes_and_methods_survive() {
        for byte in 0..=255u8 {
            assert_eq!(u8::from(Code::from(byte)), byte);
            assert_eq!(u8::from(Method::from(byte)), byte);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_encoded_decodes_to_the_same_and_no_prefix_does(
            code: u8, identifier: u8, method: u8,
            data in prop::collection::vec(any::<u8>(), 0..40), cut in any::<prop::sample::Index>(),
        ) {
            let method = Some(method.into());
            let packet = EapPacket { code: code.into(), identifier, method, data: &data };
            let bytes = packet.encode().expect("short");
            prop_assert_eq!(EapPacket::decode(&bytes), Ok(packet));
            prop_assert!(EapPacket::decode(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }
}

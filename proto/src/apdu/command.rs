//! A command to a card.

use std::fmt;

use zeroize::Zeroizing;

use super::protocol::Protocol;
use crate::codec::Reader;
use crate::error::DecodeError;

/// A short command APDU. Its data may be a PIN: it is wiped on drop and shown by nothing.
///
/// Source: ISO/IEC 7816-4 §5.1.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandApdu {
    /// Class.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    data: Zeroizing<Vec<u8>>,
    le: Option<u16>,
}

impl CommandApdu {
    /// The most data a command carries, in bytes.
    pub const MAX_DATA: usize = 255;

    /// A command with neither data nor expected answer (case 1).
    #[must_use]
    pub fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        let data = Zeroizing::new(Vec::new());
        let le = None;
        Self {
            cla,
            ins,
            p1,
            p2,
            data,
            le,
        }
    }

    /// Adds data, 1 to 255 bytes.
    ///
    /// # Errors
    /// [`ApduError::DataLength`] for none or more.
    pub fn with_data(mut self, data: &[u8]) -> Result<Self, ApduError> {
        let got = data.len();
        if got == 0 || got > Self::MAX_DATA {
            return Err(ApduError::DataLength { got });
        }
        self.data = Zeroizing::new(data.to_vec());
        Ok(self)
    }

    /// Says how many bytes of answer are expected, 1 to 256; others are taken for the nearest of
    /// these.
    #[must_use]
    pub fn with_le(mut self, le: u16) -> Self {
        self.le = Some(le.clamp(1, MAX_LE));
        self
    }

    /// Its data, empty in cases 1 and 2.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The answer's expected length, 1 to 256 bytes.
    #[must_use]
    pub fn le(&self) -> Option<u16> {
        self.le
    }

    /// Its bytes, as they go to a card with this protocol.
    ///
    /// With T=0 a command has five bytes of header. One that carries data cannot say how much
    /// answer it expects: the card says `61xx`, and the answer is fetched with GET RESPONSE.
    ///
    /// Source: ISO/IEC 7816-3 §12.2.
    #[must_use]
    pub fn encode_for(&self, protocol: Protocol) -> Zeroizing<Vec<u8>> {
        let mut bytes = self.encode();
        if protocol == Protocol::T0 {
            match (self.data.is_empty(), self.le) {
                (true, None) => bytes.push(0),
                (false, Some(_)) => bytes.truncate(HEADER_LEN + 1 + self.data.len()),
                _ => {}
            }
        }
        bytes
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Room for all of it, so that no copy of the data is left behind by growth.
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER_LEN + 2 + self.data.len()));
        bytes.extend([self.cla, self.ins, self.p1, self.p2]);
        if !self.data.is_empty() {
            bytes.push(u8::try_from(self.data.len()).expect("checked when the data was set"));
            bytes.extend_from_slice(&self.data);
        }
        if let Some(le) = self.le {
            bytes.push(u8::try_from(le).unwrap_or(LE_256));
        }
        bytes
    }

    /// Reads a command of any of the four cases.
    ///
    /// # Errors
    /// [`DecodeError`] for a length that does not fit, and for extended length (Lc of 00).
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let [cla, ins, p1, p2] = reader.array("command header")?;
        let command = Self::new(cla, ins, p1, p2);
        let read_le = |byte: u8| if byte == LE_256 { MAX_LE } else { byte.into() };
        let length = match reader.remaining() {
            0 => return Ok(command),
            _ => reader.u8("Lc or Le")?,
        };
        if reader.is_empty() {
            return Ok(command.with_le(read_le(length)));
        }
        if length == 0 {
            return Err(DecodeError::Unexpected { what: "Lc", got: 0 });
        }
        let data = Zeroizing::new(reader.take(length.into(), "command data")?.to_vec());
        let le = match reader.remaining() {
            0 => None,
            _ => Some(read_le(reader.u8("Le")?)),
        };
        reader.finish("command")?;
        Ok(Self {
            data,
            le,
            ..command
        })
    }
}

/// Shows the header and the lengths.
impl fmt::Debug for CommandApdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cla, ins, p1, p2, ..
        } = self;
        write!(f, "{cla:02X} {ins:02X} {p1:02X} {p2:02X}")?;
        if !self.data.is_empty() {
            write!(f, " ({} bytes)", self.data.len())?;
        }
        match self.le {
            Some(le) => write!(f, " Le {le}"),
            None => Ok(()),
        }
    }
}

/// Why something is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApduError {
    /// Data of a length that a short APDU has no room for.
    #[error("command data of {got} bytes, 1 to 255 fit")]
    DataLength {
        /// Its bytes.
        got: usize,
    },
}

const HEADER_LEN: usize = 4;
const MAX_LE: u16 = 256;
/// How Le of 256 is written.
const LE_256: u8 = 0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command() -> impl Strategy<Value = CommandApdu> {
        let data = prop::collection::vec(any::<u8>(), 0..=255);
        let le = prop::option::of(1..=256u16);
        (any::<[u8; 4]>(), data, le).prop_map(|([cla, ins, p1, p2], data, le)| CommandApdu {
            data: Zeroizing::new(data),
            le,
            ..CommandApdu::new(cla, ins, p1, p2)
        })
    }

    #[test]
    fn the_four_cases_have_their_bytes() {
        let header = CommandApdu::new(0xA0, 0x80, 0, 0);
        let with_data = header.clone().with_data(&[7, 8]).expect("fits");
        assert_eq!(header.encode()[..], [0xA0, 0x80, 0, 0]);
        let case2 = header.clone().with_le(256);
        assert_eq!(case2.encode()[..], [0xA0, 0x80, 0, 0, 0]);
        assert_eq!(with_data.encode()[..], [0xA0, 0x80, 0, 0, 2, 7, 8]);
        let case4 = with_data.with_le(5);
        assert_eq!(case4.encode()[..], [0xA0, 0x80, 0, 0, 2, 7, 8, 5]);
    }

    #[test]
    fn with_t0_each_case_has_a_header_of_five_bytes_and_one_direction() {
        let header = CommandApdu::new(0xA0, 0x80, 0, 0);
        let with_data = header.clone().with_data(&[7, 8]).expect("fits");
        let cases = [
            (header.clone(), &[0xA0, 0x80, 0, 0, 0][..]),
            (header.with_le(5), &[0xA0, 0x80, 0, 0, 5]),
            (with_data.clone(), &[0xA0, 0x80, 0, 0, 2, 7, 8]),
            (with_data.with_le(5), &[0xA0, 0x80, 0, 0, 2, 7, 8]),
        ];
        for (command, bytes) in cases {
            assert_eq!(command.encode_for(Protocol::T0)[..], *bytes);
            assert_eq!(command.encode_for(Protocol::T1), command.encode());
        }
    }

    #[test]
    fn a_header_and_a_zero_is_case_2_with_256() {
        let reset_state = CommandApdu::decode(&[0xA0, 0x19, 0x10, 0, 0]).expect("case 2");
        assert_eq!(reset_state.le(), Some(256));
        assert!(reset_state.data().is_empty());
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let too_long = ApduError::DataLength { got: 256 };
        let command = || CommandApdu::new(0, 0, 0, 0);
        assert_eq!(command().with_data(&[0; 256]), Err(too_long));
        let none = ApduError::DataLength { got: 0 };
        assert_eq!(command().with_data(&[]), Err(none));
        for bad in [
            &[0, 0, 0][..],
            &[0, 0, 0, 0, 2, 1],
            &[0, 0, 0, 0, 1, 1, 1, 1],
            // Extended length.
            &[0, 0, 0, 0, 0, 0, 1],
        ] {
            assert!(CommandApdu::decode(bad).is_err(), "{bad:02X?}");
        }
    }

    #[test]
    fn debug_shows_lengths_and_no_data() {
        let verify = CommandApdu::new(0xA0, 0x20, 0, 0).with_data(b"9876");
        let shown = format!("{:?}", verify.expect("fits").with_le(1));
        assert_eq!(shown, "A0 20 00 00 (4 bytes) Le 1");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn what_is_encoded_decodes_to_the_same(command in command()) {
            prop_assert_eq!(CommandApdu::decode(&command.encode()), Ok(command));
        }

        /// A shorter command may be a command of another case, but never this one.
        #[test]
        fn no_prefix_is_the_same_command(command in command(), cut in any::<prop::sample::Index>()) {
            let bytes = command.encode();
            let prefix = &bytes[..cut.index(bytes.len())];
            prop_assert_ne!(CommandApdu::decode(prefix), Ok(command));
        }

        #[test]
        fn any_bytes_decode_to_themselves_or_not_at_all(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            if let Ok(command) = CommandApdu::decode(&bytes) {
                prop_assert_eq!(&command.encode()[..], &bytes[..]);
            }
        }
    }
}

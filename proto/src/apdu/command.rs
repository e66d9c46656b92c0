//! A command to a card.

use std::fmt;

use zeroize::Zeroizing;

use super::protocol::Protocol;
use crate::codec::Reader;
use crate::error::DecodeError;

/// A command APDU. Its data may be a PIN: it is wiped on drop and shown by nothing.
///
/// It is written in the short form if its lengths fit that, else in the extended form. A card
/// without extended length gets a long command in pieces: [`CommandApdu::chained`].
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
    le: Option<u32>,
}

impl CommandApdu {
    /// The most data a short command carries, in bytes.
    pub const MAX_DATA: usize = 255;

    /// The most data an extended command carries, in bytes.
    pub const MAX_LONG_DATA: usize = 65_535;

    /// The longest answer that an extended command can ask for, in bytes.
    pub const MAX_LONG_LE: u32 = 65_536;

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
    pub fn with_data(self, data: &[u8]) -> Result<Self, ApduError> {
        self.with_data_up_to(Self::MAX_DATA, data)
    }

    /// Adds data, 1 to 65,535 bytes: more than 255 make an extended command.
    ///
    /// # Errors
    /// [`ApduError::DataLength`] for none or more.
    pub fn with_long_data(self, data: &[u8]) -> Result<Self, ApduError> {
        self.with_data_up_to(Self::MAX_LONG_DATA, data)
    }

    fn with_data_up_to(mut self, max: usize, data: &[u8]) -> Result<Self, ApduError> {
        let got = data.len();
        if got == 0 || got > max {
            return Err(ApduError::DataLength { max, got });
        }
        self.data = Zeroizing::new(data.to_vec());
        Ok(self)
    }

    /// Says how many bytes of answer are expected, 1 to 65,536; others are taken for the nearest
    /// of these. More than 256 make an extended command.
    #[must_use]
    pub fn with_le(mut self, le: u32) -> Self {
        self.le = Some(le.clamp(1, Self::MAX_LONG_LE));
        self
    }

    /// CLA, INS, P1 and P2.
    #[must_use]
    pub fn header(&self) -> [u8; 4] {
        [self.cla, self.ins, self.p1, self.p2]
    }

    /// Its data, empty in cases 1 and 2.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The answer's expected length, 1 to 65,536 bytes.
    #[must_use]
    pub fn le(&self) -> Option<u32> {
        self.le
    }

    /// Whether one of its lengths fits the extended form alone.
    #[must_use]
    pub fn is_extended(&self) -> bool {
        self.data.len() > Self::MAX_DATA || self.le.is_some_and(|le| le > MAX_LE)
    }

    /// Its bytes, as they go to a card with this protocol.
    ///
    /// With T=0 a command has five bytes of header. One that carries data cannot say how much
    /// answer it expects: the card says `61xx`, and the answer is fetched with GET RESPONSE. T=0 has
    /// no extended form: long commands are chained before.
    ///
    /// Source: ISO/IEC 7816-3 §12.2.
    #[must_use]
    pub fn encode_for(&self, protocol: Protocol) -> Zeroizing<Vec<u8>> {
        let mut bytes = self.encode();
        if protocol == Protocol::T0 && !self.is_extended() {
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
        let extended = self.is_extended();
        // Room for all of it, so that no copy of the data is left behind by growth.
        let room = HEADER_LEN + MAX_LENGTH_FIELDS + self.data.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        bytes.extend([self.cla, self.ins, self.p1, self.p2]);
        // A zero says that extended lengths follow.
        bytes.extend(extended.then_some(0));
        if !self.data.is_empty() {
            let length = u16::try_from(self.data.len()).expect("checked when the data was set");
            bytes.extend_from_slice(length_field(extended, &length.to_be_bytes()));
            bytes.extend_from_slice(&self.data);
        }
        if let Some(le) = self.le {
            // The longest of each form is written as zero, which is what the cut leaves of it.
            let [.., high, low] = le.to_be_bytes();
            bytes.extend_from_slice(length_field(extended, &[high, low]));
        }
        bytes
    }

    /// Reads a short command of any of the four cases.
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

    /// Reads a command of any of the four cases, short or extended. An extended one whose lengths
    /// would have fitted the short form is the same command.
    ///
    /// # Errors
    /// [`DecodeError`] for a length that does not fit.
    pub fn decode_any(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes {
            [_, _, _, _, 0, rest @ ..] if !rest.is_empty() => {}
            _ => return Self::decode(bytes),
        }
        let mut reader = Reader::new(bytes);
        let [cla, ins, p1, p2, _] = reader.array("extended command header")?;
        let command = Self::new(cla, ins, p1, p2);
        let read_le = |le: u16| {
            if le == 0 {
                Self::MAX_LONG_LE
            } else {
                le.into()
            }
        };
        let length = reader.u16("extended Lc or Le")?;
        if reader.is_empty() {
            return Ok(command.with_le(read_le(length)));
        }
        if length == 0 {
            let what = "extended Lc";
            return Err(DecodeError::Unexpected { what, got: 0 });
        }
        let data = Zeroizing::new(reader.take(length.into(), "command data")?.to_vec());
        let le = match reader.remaining() {
            0 => None,
            _ => Some(read_le(reader.u16("extended Le")?)),
        };
        reader.finish("command")?;
        Ok(Self {
            data,
            le,
            ..command
        })
    }
}

/// A length as the form of the command has it: two bytes, or the low one.
fn length_field(extended: bool, length: &[u8; 2]) -> &[u8] {
    match (extended, length) {
        (true, both) => both,
        (false, [_, low]) => std::slice::from_ref(low),
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
    /// Data of a length that the command has no room for.
    #[error("command data of {got} bytes, 1 to {max} fit")]
    DataLength {
        /// The most that fits.
        max: usize,
        /// Its bytes.
        got: usize,
    },
}

const HEADER_LEN: usize = 4;
/// The zero of an extended command, and two bytes each for Lc and Le.
const MAX_LENGTH_FIELDS: usize = 5;
const MAX_LE: u32 = 256;
/// How Le of 256 is written.
const LE_256: u8 = 0;

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;

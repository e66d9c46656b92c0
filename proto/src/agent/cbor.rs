//! The strict reader of a message: one CBOR map, borrowed from the frame.
//!
//! Reading is done here rather than by a general library because the format is a small part of
//! CBOR and the library reads all of it: indefinite lengths, tags, structures as arrays, text as
//! bytes. What it writes is already that small part, so `serde_cbor` is the writer, and in the tests
//! the second opinion on what the reader accepts.

use std::borrow::Cow;

use super::value::{Map, Value};
use crate::codec::Reader;
use crate::error::DecodeError;

/// Deepest nesting of maps and arrays; the message's own map is the first level.
const MAX_DEPTH: usize = 4;
/// Most keys in one map.
const MAX_KEYS: usize = 64;
/// Most values in one message, at all levels together.
const MAX_VALUES: usize = 4096;

/// Why bytes are not the CBOR that a message is made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Cut short, or followed by more.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The outermost value is not a map.
    #[error("message is not a map")]
    NotAMap,
    /// Maps and arrays nested deeper than four levels.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More keys in a map, or values in the message, than any message has.
    #[error("too many values")]
    TooMany,
    /// A map key that is not text.
    #[error("map key is not text")]
    KeyNotText,
    /// The same key twice in one map.
    #[error("key twice in one map")]
    DuplicateKey,
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// An initial byte outside of this format: an indefinite length, a tag, a reserved value, or a
    /// number that is not in its shortest form.
    #[error("initial byte {0:02X} is not allowed here")]
    NotAllowed(u8),
}

impl<'a> Map<'a> {
    /// Reads the one map that `bytes` must hold.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, CborError> {
        let mut input = Input {
            reader: Reader::new(bytes),
            values: 0,
        };
        let value = input.value(0)?;
        input.reader.finish("message")?;
        match value {
            Value::Map(map) => Ok(map),
            _ => Err(CborError::NotAMap),
        }
    }
}

/// The bytes not read yet, and how many values were read.
struct Input<'a> {
    reader: Reader<'a>,
    values: usize,
}

impl<'a> Input<'a> {
    /// Reads one value that lies inside `depth` maps and arrays.
    fn value(&mut self, depth: usize) -> Result<Value<'a>, CborError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(CborError::TooMany);
        }
        let initial = self.reader.u8("value")?;
        let (major, info) = (initial >> 5, initial & 0x1f);
        if major == 7 {
            return self.simple(initial, info);
        }
        let argument = self.argument(initial, info)?;
        match major {
            0 => Ok(Value::Unsigned(argument)),
            1 => Ok(Value::Other),
            2 => self.bytes(argument).map(Value::Bytes),
            3 => self
                .text(argument)
                .map(|text| Value::Text(Cow::Borrowed(text))),
            4 => self.array(argument, depth + 1),
            5 => self.map(argument, depth + 1).map(Value::Map),
            _ => Err(CborError::NotAllowed(initial)),
        }
    }

    /// The number in or after the initial byte: RFC 8949 §3, in the shortest form of §4.1.
    fn argument(&mut self, initial: u8, info: u8) -> Result<u64, CborError> {
        const WHAT: &str = "number";
        let (argument, smallest) = match info {
            0..24 => (u64::from(info), 0),
            24 => (u64::from(self.reader.u8(WHAT)?), 24),
            25 => (u64::from(self.reader.u16(WHAT)?), 1 << 8),
            26 => (u64::from(self.reader.u32(WHAT)?), 1 << 16),
            27 => (self.reader.u64(WHAT)?, 1 << 32),
            _ => return Err(CborError::NotAllowed(initial)),
        };
        if argument < smallest {
            return Err(CborError::NotAllowed(initial));
        }
        Ok(argument)
    }

    /// RFC 8949 §3.3: false, true, null, and the three widths of floating point.
    fn simple(&mut self, initial: u8, info: u8) -> Result<Value<'a>, CborError> {
        let width = match info {
            20 => return Ok(Value::Bool(false)),
            21 => return Ok(Value::Bool(true)),
            22 => 0,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(CborError::NotAllowed(initial)),
        };
        self.reader.take(width, "floating point")?;
        Ok(Value::Other)
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(self.reader.take(length, "string")?)
    }

    fn text(&mut self, length: u64) -> Result<&'a str, CborError> {
        std::str::from_utf8(self.bytes(length)?).map_err(|_| CborError::NotUtf8)
    }

    fn array(&mut self, length: u64, depth: usize) -> Result<Value<'a>, CborError> {
        check_depth(depth)?;
        let mut array = Vec::new();
        for _ in 0..length {
            array.push(self.value(depth)?);
        }
        Ok(Value::Array(array))
    }

    fn map(&mut self, length: u64, depth: usize) -> Result<Map<'a>, CborError> {
        check_depth(depth)?;
        if usize::try_from(length).map_or(true, |length| length > MAX_KEYS) {
            return Err(CborError::TooMany);
        }
        let mut map = Map::default();
        for _ in 0..length {
            let Value::Text(key) = self.value(depth)? else {
                return Err(CborError::KeyNotText);
            };
            if map.get(&key).is_some() {
                return Err(CborError::DuplicateKey);
            }
            let value = self.value(depth)?;
            map.push(key, value);
        }
        Ok(map)
    }
}

fn check_depth(depth: usize) -> Result<(), CborError> {
    if depth > MAX_DEPTH {
        return Err(CborError::TooDeep);
    }
    Ok(())
}

#[cfg(test)]
#[path = "cbor_tests.rs"]
mod tests;

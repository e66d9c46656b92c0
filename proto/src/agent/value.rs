//! The values of a message, and how they are written.
//!
//! Nothing is copied: keys of a session stay in the buffer that they were read from or belong to.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use zeroize::Zeroizing;

/// One value of a message.
#[derive(PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Value<'a> {
    Unsigned(u64),
    Bool(bool),
    Bytes(&'a [u8]),
    Text(Cow<'a, str>),
    Array(Vec<Self>),
    Map(Map<'a>),
    /// A number below zero, null, or floating point: in no message, skipped under unknown keys.
    Other,
}

/// A map with its keys in the order of the bytes.
#[derive(Default, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Map<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Map<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&Value<'a>> {
        let mut pairs = self.0.iter();
        pairs.find_map(|(name, value)| (name == key).then_some(value))
    }

    /// Adds a pair that was read; the caller does not add a key twice.
    pub(super) fn push(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        self.0.push((key, value));
    }

    /// Adds a pair; the caller does not add a key twice.
    #[must_use]
    pub(super) fn with(mut self, key: &'static str, value: impl Into<Value<'a>>) -> Self {
        self.0.push((Cow::Borrowed(key), value.into()));
        self
    }

    /// Adds a pair when there is a value.
    #[must_use]
    pub(super) fn with_some(self, key: &'static str, value: Option<impl Into<Value<'a>>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Writes the map into one allocation of its exact size.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        const WHY: &str = "definite lengths into memory cannot fail";
        let mut length = Count(0);
        serde_cbor::to_writer(&mut length, self).expect(WHY);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        serde_cbor::to_writer(&mut *bytes, self).expect(WHY);
        bytes
    }

    #[cfg(test)]
    pub(super) fn pairs(&self) -> &[(Cow<'a, str>, Value<'a>)] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn into_pairs(self) -> Vec<(Cow<'a, str>, Value<'a>)> {
        self.0
    }

    #[cfg(test)]
    pub(super) fn from_pairs(pairs: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        Self(pairs)
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Array(values) => {
                let mut array = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    array.serialize_element(value)?;
                }
                array.end()
            }
            Self::Map(map) => map.serialize(serializer),
            Self::Other => serializer.serialize_unit(),
        }
    }
}

impl Serialize for Map<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Unsigned(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Unsigned(number.into())
    }
}

impl From<u16> for Value<'_> {
    fn from(number: u16) -> Self {
        Self::Unsigned(number.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<Map<'a>> for Value<'a> {
    fn from(map: Map<'a>) -> Self {
        Self::Map(map)
    }
}

impl<'a, T: Into<Self>> FromIterator<T> for Value<'a> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

/// Counts bytes instead of keeping them.
struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

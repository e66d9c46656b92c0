//! Types of records.

use std::fmt;

/// The first byte of a record: what its payload is (RFC 5246 §6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// 20: the sender's next record is protected by the new keys.
    ChangeCipherSpec,
    /// 21: an alert.
    Alert,
    /// 22: handshake messages, or a part of one.
    Handshake,
    /// 23: application data; in TLS 1.3 any protected record.
    ApplicationData,
    /// Any other value.
    Other(u8),
}

impl From<u8> for ContentType {
    fn from(byte: u8) -> Self {
        match byte {
            20 => Self::ChangeCipherSpec,
            21 => Self::Alert,
            22 => Self::Handshake,
            23 => Self::ApplicationData,
            other => Self::Other(other),
        }
    }
}

impl From<ContentType> for u8 {
    fn from(content_type: ContentType) -> Self {
        match content_type {
            ContentType::ChangeCipherSpec => 20,
            ContentType::Alert => 21,
            ContentType::Handshake => 22,
            ContentType::ApplicationData => 23,
            ContentType::Other(other) => other,
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangeCipherSpec => f.write_str("ChangeCipherSpec"),
            Self::Alert => f.write_str("alert"),
            Self::Handshake => f.write_str("handshake"),
            Self::ApplicationData => f.write_str("application data"),
            Self::Other(other) => write!(f, "type {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives() {
        for byte in 0..=u8::MAX {
            assert_eq!(u8::from(ContentType::from(byte)), byte);
        }
    }
}

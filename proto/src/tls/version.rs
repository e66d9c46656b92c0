//! Protocol versions.

use std::fmt;
use std::str::FromStr;

/// A TLS version as two bytes on the wire: `0301` is TLS 1.0, `0304` is TLS 1.3.
///
/// Unknown versions survive decoding; the order is the order of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// TLS 1.0 (RFC 2246).
    pub const TLS1_0: Self = Self(0x0301);
    /// TLS 1.1 (RFC 4346).
    pub const TLS1_1: Self = Self(0x0302);
    /// TLS 1.2 (RFC 5246).
    pub const TLS1_2: Self = Self(0x0303);
    /// TLS 1.3 (RFC 8446).
    pub const TLS1_3: Self = Self(0x0304);

    /// The version that records of a connection carry: TLS 1.3 says 1.2 there (RFC 8446 §5.1).
    #[must_use]
    pub fn on_records(self) -> Self {
        self.min(Self::TLS1_2)
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TLS1_0 => f.write_str("TLS 1.0"),
            Self::TLS1_1 => f.write_str("TLS 1.1"),
            Self::TLS1_2 => f.write_str("TLS 1.2"),
            Self::TLS1_3 => f.write_str("TLS 1.3"),
            Self(other) => write!(f, "TLS version {other:04X}"),
        }
    }
}

/// Reads `1.0` to `1.3`, the form used in configuration files and on the command line.
impl FromStr for ProtocolVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "1.0" => Ok(Self::TLS1_0),
            "1.1" => Ok(Self::TLS1_1),
            "1.2" => Ok(Self::TLS1_2),
            "1.3" => Ok(Self::TLS1_3),
            _ => Err(ParseVersionError {
                got: text.to_owned(),
            }),
        }
    }
}

/// A text that names no TLS version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is no TLS version; known are 1.0, 1.1, 1.2 and 1.3")]
pub struct ParseVersionError {
    /// The text as given.
    pub got: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_the_number_after_the_name() {
        for text in ["1.0", "1.1", "1.2", "1.3"] {
            let version: ProtocolVersion = text.parse().unwrap();
            assert_eq!(version.to_string(), format!("TLS {text}"));
        }
        assert_eq!(ProtocolVersion(0x7F1C).to_string(), "TLS version 7F1C");
    }

    #[test]
    fn refuses_other_texts() {
        for text in ["", "1", "1.4", "TLS 1.2", "1.2 ", "3.0"] {
            assert!(text.parse::<ProtocolVersion>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn records_of_tls13_say_tls12() {
        assert_eq!(
            ProtocolVersion::TLS1_3.on_records(),
            ProtocolVersion::TLS1_2
        );
        assert_eq!(
            ProtocolVersion::TLS1_0.on_records(),
            ProtocolVersion::TLS1_0
        );
    }
}

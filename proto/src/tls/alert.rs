//! Alerts: how one side says that it closes, warns or gives up.

use std::fmt;

use super::error::TlsError;
use super::version::ProtocolVersion;
use crate::codec::Reader;
use crate::error::DecodeError;

/// One alert: two bytes, level and description (RFC 5246 §7.2, RFC 8446 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert {
    /// How serious the sender calls it.
    pub level: AlertLevel,
    /// What it is about.
    pub description: AlertDescription,
}

impl Alert {
    /// The sender will send nothing more; the orderly end.
    pub const CLOSE_NOTIFY: Self = Self::warning(AlertDescription::CLOSE_NOTIFY);

    /// An alert that ends the connection.
    #[must_use]
    pub const fn fatal(description: AlertDescription) -> Self {
        Self {
            level: AlertLevel::Fatal,
            description,
        }
    }

    /// An alert that the connection survives, [`Self::CLOSE_NOTIFY`] apart.
    #[must_use]
    pub const fn warning(description: AlertDescription) -> Self {
        Self {
            level: AlertLevel::Warning,
            description,
        }
    }

    /// Reads the payload of an alert record: exactly two bytes.
    ///
    /// # Errors
    /// [`TlsError::Decode`] for any other length or an unknown level.
    pub fn decode(payload: &[u8]) -> Result<Self, TlsError> {
        let mut reader = Reader::new(payload);
        let level = match reader.u8("alert level")? {
            1 => AlertLevel::Warning,
            2 => AlertLevel::Fatal,
            other => {
                return Err(DecodeError::Unexpected {
                    what: "alert level",
                    got: other.into(),
                }
                .into());
            }
        };
        let description = AlertDescription(reader.u8("alert description")?);
        reader.finish("alert")?;
        Ok(Self { level, description })
    }

    /// The two bytes on the wire.
    #[must_use]
    pub fn encode(self) -> [u8; 2] {
        let level = match self.level {
            AlertLevel::Warning => 1,
            AlertLevel::Fatal => 2,
        };
        [level, self.description.0]
    }

    /// A whole record in clear, as sent before the handshake has made keys: seven bytes.
    #[must_use]
    pub fn encode_plain_record(self, version: ProtocolVersion) -> [u8; 7] {
        let [major, minor] = version.on_records().0.to_be_bytes();
        let [level, description] = self.encode();
        [21, major, minor, 0, 2, level, description]
    }
}

/// Reads as `fatal alert unknown_ca`.
impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            AlertLevel::Warning => "warning",
            AlertLevel::Fatal => "fatal",
        };
        write!(f, "{level} alert {}", self.description)
    }
}

/// The first byte of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertLevel {
    /// 1.
    Warning,
    /// 2.
    Fatal,
}

/// The second byte of an alert; unknown values survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlertDescription(pub u8);

macro_rules! descriptions {
    ($($constant:ident = $code:literal, $name:literal;)*) => {
        impl AlertDescription {
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: Self = Self($code);
            )*

            /// The name in the IANA registry, or nothing for an unassigned value.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

descriptions! {
    CLOSE_NOTIFY = 0, "close_notify";
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    BAD_RECORD_MAC = 20, "bad_record_mac";
    DECRYPTION_FAILED = 21, "decryption_failed";
    RECORD_OVERFLOW = 22, "record_overflow";
    DECOMPRESSION_FAILURE = 30, "decompression_failure";
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    NO_CERTIFICATE = 41, "no_certificate";
    BAD_CERTIFICATE = 42, "bad_certificate";
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    UNKNOWN_CA = 48, "unknown_ca";
    ACCESS_DENIED = 49, "access_denied";
    DECODE_ERROR = 50, "decode_error";
    DECRYPT_ERROR = 51, "decrypt_error";
    EXPORT_RESTRICTION = 60, "export_restriction";
    PROTOCOL_VERSION = 70, "protocol_version";
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    INTERNAL_ERROR = 80, "internal_error";
    INAPPROPRIATE_FALLBACK = 86, "inappropriate_fallback";
    USER_CANCELED = 90, "user_canceled";
    NO_RENEGOTIATION = 100, "no_renegotiation";
    MISSING_EXTENSION = 109, "missing_extension";
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    CERTIFICATE_UNOBTAINABLE = 111, "certificate_unobtainable";
    UNRECOGNIZED_NAME = 112, "unrecognized_name";
    BAD_CERTIFICATE_STATUS_RESPONSE = 113, "bad_certificate_status_response";
    BAD_CERTIFICATE_HASH_VALUE = 114, "bad_certificate_hash_value";
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity";
    CERTIFICATE_REQUIRED = 116, "certificate_required";
    NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
}

impl AlertDescription {
    /// Whether a server says no to its client's certificate with it (RFC 5246 §7.2.2,
    /// RFC 8446 §6.2).
    #[must_use]
    pub fn refuses_certificate(self) -> bool {
        [
            Self::BAD_CERTIFICATE,
            Self::UNSUPPORTED_CERTIFICATE,
            Self::CERTIFICATE_REVOKED,
            Self::CERTIFICATE_EXPIRED,
            Self::CERTIFICATE_UNKNOWN,
            Self::UNKNOWN_CA,
            Self::ACCESS_DENIED,
            Self::CERTIFICATE_REQUIRED,
        ]
        .contains(&self)
    }
}

impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_as_level_and_name() {
        let alert = Alert::decode(&[2, 48]).unwrap();
        assert_eq!(alert, Alert::fatal(AlertDescription::UNKNOWN_CA));
        assert_eq!(alert.to_string(), "fatal alert unknown_ca");
        assert_eq!(
            Alert::decode(&[1, 255]).unwrap().to_string(),
            "warning alert 255"
        );
    }

    #[test]
    fn a_plain_record_of_tls13_says_tls12() {
        let alert = Alert::fatal(AlertDescription::HANDSHAKE_FAILURE);
        assert_eq!(
            alert.encode_plain_record(ProtocolVersion::TLS1_3),
            [21, 3, 3, 0, 2, 2, 40]
        );
        assert_eq!(
            alert.encode_plain_record(ProtocolVersion::TLS1_0),
            [21, 3, 1, 0, 2, 2, 40]
        );
    }

    #[test]
    fn refuses_other_lengths_and_levels() {
        for payload in [&[][..], &[2], &[2, 40, 0], &[0, 40], &[3, 40]] {
            assert!(Alert::decode(payload).is_err(), "{payload:?}");
        }
    }

    proptest! {
        #[test]
        fn encoding_is_undone_by_decoding(fatal: bool, code: u8) {
            let description = AlertDescription(code);
            let alert = if fatal { Alert::fatal(description) } else { Alert::warning(description) };
            prop_assert_eq!(Alert::decode(&alert.encode()).unwrap(), alert);
        }
    }
}

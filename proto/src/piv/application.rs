//! The PIV application and its answer to SELECT.

use super::tlv::{TlvReader, TlvWriter};
use crate::apdu::Aid;
use crate::error::DecodeError;

impl Aid {
    /// The PIV application without its version, which is what is selected:
    /// `A0 00 00 03 08 00 00 10 00`.
    ///
    /// Source: NIST SP 800-73-4 Part 1 §2.2.
    pub const PIV: Self = Self::from_array(b"\xA0\x00\x00\x03\x08\x00\x00\x10\x00");

    /// With its version, 01 00.
    pub const PIV_WITH_VERSION: Self =
        Self::from_array(b"\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x01\x00");
}

/// What the application says of itself when it is selected.
///
/// ```text
/// 61 { 4F application identifier, 79 { 4F authority }, 50 label, 5F50 URL, AC { algorithms } }
/// ```
///
/// Source: NIST SP 800-73-4 Part 2 table 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationProperties {
    /// From 4F: the whole identifier with its version, or only what follows the registered
    /// identifier (`00 00 10 00 01 00`); cards do either.
    pub identifier: Vec<u8>,
    /// From 50.
    pub label: Option<Vec<u8>>,
}

impl ApplicationProperties {
    /// Those of a card that has nothing special to say.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            identifier: Aid::PIV_WITH_VERSION.as_bytes().to_vec(),
            label: None,
        }
    }

    /// Whether the application is PIV.
    #[must_use]
    pub fn is_piv(&self) -> bool {
        let whole = Aid::PIV_WITH_VERSION;
        let whole = whole.as_bytes();
        let extension = whole.get(RID_LEN..).unwrap_or_default();
        // The version may be another one some day.
        let versionless = |bytes: &[u8]| bytes.get(..bytes.len().saturating_sub(2)).map(Vec::from);
        let named = versionless(&self.identifier);
        self.identifier == Aid::PIV.as_bytes()
            || named == versionless(whole)
            || named == versionless(extension)
    }

    /// Reads the answer to SELECT. Elements that are not known are passed over.
    ///
    /// # Errors
    /// [`DecodeError`] if it is no template or has no identifier.
    pub fn decode(answer: &[u8]) -> Result<Self, DecodeError> {
        let what = "application properties";
        let template = TlvReader::new(answer).expect(0x61, what)?;
        let element = |tag| -> Result<Option<Vec<u8>>, DecodeError> {
            let found = TlvReader::new(template).find(tag)?;
            Ok(found.map(<[u8]>::to_vec))
        };
        let (identifier, label) = (element(0x4F)?, element(0x50)?);
        let what = "application identifier";
        let identifier = identifier.ok_or(DecodeError::Truncated {
            what,
            need: 1,
            got: 0,
        })?;
        Ok(Self { identifier, label })
    }

    /// The answer to SELECT.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let authority = Aid::PIV_WITH_VERSION;
        let authority = authority.as_bytes().get(..RID_LEN).unwrap_or_default();
        let authority = TlvWriter::new().with(0x4F, authority).into_bytes();
        let mut template = TlvWriter::new()
            .with(0x4F, &self.identifier)
            .with(0x79, &authority);
        if let Some(label) = &self.label {
            template = template.with(0x50, label);
        }
        TlvWriter::new()
            .with(0x61, &template.into_bytes())
            .into_bytes()
    }
}

/// The registered application provider identifier.
const RID_LEN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_has_the_name_of_the_standard() {
        assert_eq!(Aid::PIV.to_string(), "A00000030800001000");
        assert_eq!(Aid::PIV_WITH_VERSION.to_string(), "A000000308000010000100");
    }

    #[test]
    fn both_forms_of_the_identifier_are_known() {
        // As a YubiKey answers, and with the whole identifier as the standard shows it.
        let short = [
            0x61, 0x11, 0x4F, 0x06, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0x79, 0x07, 0x4F, 0x05,
            0xA0, 0x00, 0x00, 0x03, 0x08,
        ];
        let read = ApplicationProperties::decode(&short).expect("a template");
        assert!(read.is_piv());
        let plain = ApplicationProperties::plain();
        let label = Some(b"PIV".to_vec());
        for own in [plain.clone(), ApplicationProperties { label, ..plain }] {
            assert!(own.is_piv());
            assert_eq!(ApplicationProperties::decode(&own.encode()), Ok(own));
        }
    }

    #[test]
    fn other_answers_are_not_piv() {
        for bad in [&[][..], &[0x61, 0], &[0x6F, 0], &[0x61, 2, 0x50, 0]] {
            assert!(ApplicationProperties::decode(bad).is_err(), "{bad:02X?}");
        }
        let identifier = Aid::EAP_TLS.as_bytes().to_vec();
        let other = ApplicationProperties {
            identifier,
            label: None,
        };
        assert!(!other.is_piv());
        let empty = ApplicationProperties {
            identifier: Vec::new(),
            label: None,
        };
        assert!(!empty.is_piv());
    }
}

//! What a card gives out after a handshake (PROPOSED).

use crate::codec::Reader;
use crate::error::DecodeError;

/// What Get-Exported-Parameter is asked for. Unknown ones survive.
///
/// Source: specs/eap-tls-card.md §9.2, §9.3 (PROPOSED).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportIndex {
    /// 81: the suite, see [`CipherSuiteAnswer`].
    CipherSuite,
    /// 82: the KeyBlock; in TLS 1.3 the two application traffic secrets.
    KeyBlock,
    /// 83: exporter master secret of TLS 1.3.
    ExporterSecret,
    /// 84: the server's certificates as the card verified them.
    ServerCertificates,
    /// 85: the client certificate it used.
    ClientCertificate,
    /// 87: the application protocol the server chose.
    Alpn,
    /// Any other.
    Other(u8),
}

impl From<u8> for ExportIndex {
    fn from(byte: u8) -> Self {
        match byte {
            0x81 => Self::CipherSuite,
            0x82 => Self::KeyBlock,
            0x83 => Self::ExporterSecret,
            0x84 => Self::ServerCertificates,
            0x85 => Self::ClientCertificate,
            0x87 => Self::Alpn,
            other => Self::Other(other),
        }
    }
}

impl From<ExportIndex> for u8 {
    fn from(index: ExportIndex) -> Self {
        match index {
            ExportIndex::CipherSuite => 0x81,
            ExportIndex::KeyBlock => 0x82,
            ExportIndex::ExporterSecret => 0x83,
            ExportIndex::ServerCertificates => 0x84,
            ExportIndex::ClientCertificate => 0x85,
            ExportIndex::Alpn => 0x87,
            ExportIndex::Other(other) => other,
        }
    }
}

/// The answer to index 81: `suite2 | version2 | flags1`, of which a card may leave out the end.
///
/// Source: specs/eap-tls-card.md §9.2 (PROPOSED).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CipherSuiteAnswer {
    /// The cipher suite, a value of the TLS registry.
    pub suite: u16,
    /// The protocol version, 0303 for TLS 1.2.
    pub version: Option<u16>,
    /// 01 abbreviated handshake, 02 extended master secret, 04 encrypt-then-MAC.
    pub flags: Option<u8>,
}

impl CipherSuiteAnswer {
    /// Reads an answer; what follows the known fields is ignored.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] for an end within suite or version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let suite = reader.u16("cipher suite")?;
        let version = match reader.is_empty() {
            true => None,
            false => Some(reader.u16("version behind the cipher suite")?),
        };
        let flags = reader.rest().first().copied();
        Ok(Self {
            suite,
            version,
            flags,
        })
    }

    /// Its bytes, as far as it goes; flags without a version are left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.suite.to_be_bytes().to_vec();
        if let Some(version) = self.version {
            bytes.extend(version.to_be_bytes());
            bytes.extend(self.flags);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unknown_indexes_survive() {
        for byte in 0..=255u8 {
            assert_eq!(u8::from(ExportIndex::from(byte)), byte);
        }
    }

    #[test]
    fn the_recorded_answer_is_read() {
        let answer = CipherSuiteAnswer::decode(&[0x00, 0x2F, 0x03, 0x01, 0x01]).expect("whole");
        assert_eq!(answer.suite, 0x002F);
        assert_eq!((answer.version, answer.flags), (Some(0x0301), Some(0x01)));
    }

    #[test]
    fn a_card_may_say_less_or_more() {
        let read = |bytes| CipherSuiteAnswer::decode(bytes).map(|a| (a.version, a.flags));
        assert_eq!(read(&[0xC0, 0x2F]), Ok((None, None)));
        assert_eq!(read(&[0xC0, 0x2F, 3, 3]), Ok((Some(0x0303), None)));
        assert_eq!(
            read(&[0xC0, 0x2F, 3, 3, 2, 9, 9]),
            Ok((Some(0x0303), Some(2)))
        );
        for bad in [&[][..], &[0xC0], &[0xC0, 0x2F, 3]] {
            assert!(read(bad).is_err(), "{bad:02X?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_encoded_decodes_to_the_same(suite: u16, version: Option<u16>, flags: Option<u8>) {
            let flags = version.and(flags);
            let answer = CipherSuiteAnswer { suite, version, flags };
            prop_assert_eq!(CipherSuiteAnswer::decode(&answer.encode()), Ok(answer));
        }
    }
}

//! Certificate lists.

use super::error::TlsError;
use super::extension::empty;
use crate::codec::Reader;
use crate::error::DecodeError;

/// A certificate chain as DER, leaf first. The certificates themselves are not looked at.
///
/// Empty where a client has no certificate to show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateList(pub Vec<Vec<u8>>);

impl CertificateList {
    /// Most certificates in a list.
    pub const MAX_CERTIFICATES: usize = 10;
    /// Most bytes in a list, lengths included.
    pub const MAX_BYTES: usize = 256 << 10;

    /// Reads the body of a Certificate message up to TLS 1.2: `length3 (length3 DER)*`
    /// (RFC 5246 §7.4.2).
    ///
    /// # Errors
    /// [`TlsError::Decode`] if lengths do not fit, a certificate is empty or a limit is passed.
    pub fn decode(body: &[u8]) -> Result<Self, TlsError> {
        let mut reader = Reader::new(body);
        let entries = reader.vec24("certificate list")?;
        reader.finish("Certificate message")?;
        Self::decode_entries(entries)
    }

    /// Reads `(length3 DER)*`, the form in which a card exports the list it verified.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_entries(entries: &[u8]) -> Result<Self, TlsError> {
        let (max, got) = (Self::MAX_BYTES, entries.len());
        if got > max {
            return Err(DecodeError::TooLong {
                what: "certificate list",
                max,
                got,
            }
            .into());
        }
        let mut reader = Reader::new(entries);
        let mut certificates = Vec::new();
        while !reader.is_empty() {
            let certificate = reader.vec24("certificate")?;
            if certificate.is_empty() {
                return Err(empty("certificate"));
            }
            if certificates.len() == Self::MAX_CERTIFICATES {
                let (max, got) = (Self::MAX_CERTIFICATES, Self::MAX_CERTIFICATES + 1);
                return Err(DecodeError::TooLong {
                    what: "certificate chain",
                    max,
                    got,
                }
                .into());
            }
            certificates.push(certificate.to_vec());
        }
        Ok(Self(certificates))
    }

    /// The first certificate: that of the one who sent the list.
    #[must_use]
    pub fn leaf(&self) -> Option<&[u8]> {
        self.0.first().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::samples::{certificate_body, hex};

    #[test]
    fn the_leaf_comes_first() {
        let list = CertificateList::decode(&hex("000009 000002 3000 000001 05")).unwrap();
        assert_eq!(list.0, [vec![0x30, 0], vec![5]]);
        assert_eq!(list.leaf(), Some(&[0x30, 0][..]));
        assert_eq!(
            CertificateList::decode(&hex("000000")).unwrap().leaf(),
            None
        );
    }

    #[test]
    fn an_exported_list_has_no_length_in_front() {
        let list = CertificateList::decode_entries(&hex("000002 3000 000001 05")).unwrap();
        assert_eq!(list.0, [vec![0x30, 0], vec![5]]);
    }

    #[test]
    fn refuses_empty_certificates_and_trailing_bytes() {
        assert!(CertificateList::decode(&hex("000003 000000")).is_err());
        assert!(CertificateList::decode(&hex("000004 000001 05 00")).is_err());
        assert!(CertificateList::decode(&hex("000005 000002 05")).is_err());
    }

    #[test]
    fn ten_certificates_pass_and_eleven_do_not() {
        assert!(CertificateList::decode(&certificate_body(&vec![vec![1]; 10])).is_ok());
        let too_long = DecodeError::TooLong {
            what: "certificate chain",
            max: 10,
            got: 11,
        };
        assert_eq!(
            CertificateList::decode(&certificate_body(&vec![vec![1]; 11])),
            Err(too_long.into())
        );
    }

    #[test]
    fn a_list_above_256_kib_is_refused() {
        let certificate = vec![1; CertificateList::MAX_BYTES - 3];
        assert!(CertificateList::decode(&certificate_body(&[certificate])).is_ok());
        let certificate = vec![1; CertificateList::MAX_BYTES - 2];
        assert!(CertificateList::decode(&certificate_body(&[certificate])).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn lists_survive_and_their_strict_prefixes_do_not(
            certificates in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..10),
            cut in any::<prop::sample::Index>(),
        ) {
            let body = certificate_body(&certificates);
            prop_assert_eq!(CertificateList::decode(&body).unwrap().0, certificates);
            prop_assert!(CertificateList::decode(&body[..cut.index(body.len())]).is_err());
        }
    }
}

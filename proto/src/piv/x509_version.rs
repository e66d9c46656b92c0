//! Which version of X.509 a certificate is.

use super::tlv::TlvReader;

/// A certificate that TLS does not take.
///
/// Source: RFC 5246 §7.4.2 and RFC 8446 §4.4.2.2: "The certificate type MUST be X.509v3".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is X.509 version {got}, and TLS takes version 3 alone; issue it again with an extension, which \
     makes it that: printf 'subjectAltName=DNS:NAME\\n' | openssl x509 -req -in REQUEST.csr -CA CA.pem \
     -CAkey CA.key -CAcreateserial -days 365 -extfile /dev/stdin -out CERT.pem"
)]
pub struct OldCertificate {
    /// Its version.
    pub got: u8,
}

/// Looks at the version of a certificate, DER. What cannot be read is for others to refuse.
///
/// # Errors
/// [`OldCertificate`] for any version but 3.
///
/// Source: RFC 5280 §4.1.2.1.
pub fn require_x509_v3(certificate: &[u8]) -> Result<(), OldCertificate> {
    match version(certificate) {
        Some(3) | None => Ok(()),
        Some(got) => Err(OldCertificate { got }),
    }
}

/// The version; without the field it is 1.
fn version(certificate: &[u8]) -> Option<u8> {
    let certificate = TlvReader::new(certificate).expect(SEQUENCE, "certificate");
    let signed = TlvReader::new(certificate.ok()?).expect(SEQUENCE, "certificate");
    let first = TlvReader::new(signed.ok()?).take_next().ok()??;
    if first.tag != VERSION {
        return Some(1);
    }
    match TlvReader::new(first.value)
        .expect(INTEGER, "version")
        .ok()?
    {
        [number] => number.checked_add(1),
        _ => None,
    }
}

const SEQUENCE: u32 = 0x30;
const VERSION: u32 = 0xA0;
const INTEGER: u32 = 0x02;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::piv::TlvWriter;

    /// The beginning of a certificate with these elements.
    fn certificate(elements: &[(u32, &[u8])]) -> Vec<u8> {
        let write = |out: TlvWriter, (tag, value): &(u32, &[u8])| out.with(*tag, value);
        let signed = elements.iter().fold(TlvWriter::new(), write).into_bytes();
        let signed = TlvWriter::new().with(SEQUENCE, &signed).into_bytes();
        TlvWriter::new().with(SEQUENCE, &signed).into_bytes()
    }

    #[test]
    fn the_version_is_the_first_element_or_one() {
        let serial = (INTEGER, &[7_u8][..]);
        let of = |number: u8| certificate(&[(VERSION, &[2, 1, number]), serial]);
        assert_eq!(require_x509_v3(&of(2)), Ok(()));
        assert_eq!(require_x509_v3(&of(1)), Err(OldCertificate { got: 2 }));
        let first = Err(OldCertificate { got: 1 });
        assert_eq!(require_x509_v3(&certificate(&[serial])), first);
        for unreadable in [&b""[..], b"\x30", b"\x31\x00", &certificate(&[]), &of(255)] {
            assert_eq!(require_x509_v3(unreadable), Ok(()));
        }
    }

    #[test]
    fn one_of_today_is_of_version_3_and_the_next_step_is_a_command() {
        let key = rcgen::KeyPair::generate().expect("P-256");
        let params = rcgen::CertificateParams::default();
        let made = params.self_signed(&key).expect("sound");
        assert_eq!(require_x509_v3(made.der()), Ok(()));
        let said = OldCertificate { got: 1 }.to_string();
        assert!(
            said.contains("version 1") && said.contains("openssl x509 -req"),
            "{said}"
        );
        assert!(said.contains("NAME\\n'"), "{said}");
    }

    proptest! {
        #[test]
        fn anything_may_be_looked_at(bytes: Vec<u8>) {
            let _ = require_x509_v3(&bytes);
        }
    }
}

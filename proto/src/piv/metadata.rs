//! What a card says of the key in a slot: the answer to GET METADATA.
//!
//! ```text
//! 01 algorithm   02 when it wants PIN and touch   03 made or imported   04 { its public part }
//! ```
//!
//! The command is not of SP 800-73: YubiKeys have it since firmware 5.3. It is the one way to a public
//! key that nobody has written down when it was made.

use super::tlv::{TlvReader, TlvWriter};
use crate::error::DecodeError;

/// The public key in the answer, as a SubjectPublicKeyInfo in DER; `None` for a key of a kind that is
/// neither RSA nor on P-256 or P-384, or where the answer names none.
///
/// The public part has the form in which GENERATE ASYMMETRIC KEY PAIR answers it: `81` the modulus and
/// `82` the exponent, or `86` the point (SP 800-73-4 Part 2 §3.3.2).
///
/// # Errors
/// [`DecodeError`] for bytes that are no data objects.
pub fn metadata_public_key(answer: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
    let Some(public) = TlvReader::new(answer).find(PUBLIC)? else {
        return Ok(None);
    };
    // Some write the template around it, too.
    let public = TlvReader::new(public).find(TEMPLATE)?.unwrap_or(public);
    let part = |tag| TlvReader::new(public).find(tag);
    Ok(match (part(MODULUS)?, part(EXPONENT)?, part(POINT)?) {
        (Some(modulus), Some(exponent), None) => Some(rsa(modulus, exponent)),
        (None, None, Some(point)) => curve_of(point).map(|curve| {
            let algorithm = TlvWriter::new().with(OID, EC_PUBLIC_KEY).with(OID, curve);
            spki(algorithm, point)
        }),
        _ => None,
    })
}

/// RFC 3279 §2.3.1.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = TlvWriter::new().with_number(modulus).with_number(exponent);
    let key = TlvWriter::new().with(SEQUENCE, &numbers.into_bytes());
    let algorithm = TlvWriter::new().with(OID, RSA_ENCRYPTION).with(NULL, &[]);
    spki(algorithm, &key.into_bytes())
}

/// RFC 5280 §4.1.
fn spki(algorithm: TlvWriter, key: &[u8]) -> Vec<u8> {
    let whole = TlvWriter::new().with(SEQUENCE, &algorithm.into_bytes());
    let whole = whole.with(BIT_STRING, &[&[0], key].concat());
    TlvWriter::new()
        .with(SEQUENCE, &whole.into_bytes())
        .into_bytes()
}

/// An uncompressed point tells its curve by its length.
fn curve_of(point: &[u8]) -> Option<&'static [u8]> {
    match (point.first(), point.len()) {
        (Some(0x04), 65) => Some(P_256),
        (Some(0x04), 97) => Some(P_384),
        _ => None,
    }
}

const PUBLIC: u32 = 0x04;
const TEMPLATE: u32 = 0x7F49;
const MODULUS: u32 = 0x81;
const EXPONENT: u32 = 0x82;
const POINT: u32 = 0x86;

const SEQUENCE: u32 = 0x30;
const OID: u32 = 0x06;
const NULL: u32 = 0x05;
const BIT_STRING: u32 = 0x03;

/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P_256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const P_384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{KeyPair, PublicKeyData as _};

    use super::*;

    /// As a YubiKey answers: a key that was made there and wants its PIN each time.
    fn answer(public: &[u8]) -> Vec<u8> {
        TlvWriter::new()
            .with(0x01, &[0x11])
            .with(0x02, &[3, 1])
            .with(0x03, &[1])
            .with(PUBLIC, public)
            .into_bytes()
    }

    #[test]
    fn a_point_becomes_what_others_write_of_the_same_key() {
        for algorithm in [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
        ] {
            let pair = KeyPair::generate_for(algorithm).expect("a key");
            let expected = Ok(Some(pair.subject_public_key_info()));
            let point = TlvWriter::new().with(POINT, pair.der_bytes()).into_bytes();
            assert_eq!(metadata_public_key(&answer(&point)), expected);
            let template = TlvWriter::new().with(TEMPLATE, &point).into_bytes();
            assert_eq!(metadata_public_key(&answer(&template)), expected);
        }
    }

    #[test]
    fn so_does_a_modulus_with_its_exponent() {
        let pem = include_str!("../../../integration/keys/rsa2048-card.key.pem");
        let pair = KeyPair::from_pem(pem).expect("a test key");
        let mut numbers = TlvReader::new(pair.der_bytes());
        let mut numbers = TlvReader::new(numbers.expect(SEQUENCE, "key").expect("DER"));
        let modulus = numbers.expect(0x02, "modulus").expect("DER");
        let exponent = numbers.expect(0x02, "exponent").expect("DER");
        let public = TlvWriter::new()
            .with(MODULUS, &modulus[1..])
            .with(EXPONENT, exponent);
        let read = metadata_public_key(&answer(&public.into_bytes()));
        assert_eq!(read, Ok(Some(pair.subject_public_key_info())));
    }

    #[test]
    fn what_names_no_key_of_a_known_kind_is_none() {
        assert_eq!(metadata_public_key(&[]), Ok(None));
        assert_eq!(metadata_public_key(&[0x01, 1, 0x0A]), Ok(None));
        for public in [
            &[][..],
            &[0x86, 2, 4, 0],
            &[0x81, 1, 9],
            &[0x81, 1, 9, 0x82, 1, 3, 0x86, 0],
        ] {
            assert_eq!(metadata_public_key(&answer(public)), Ok(None), "{public:?}");
        }
        assert!(metadata_public_key(&[0x04, 5, 0]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = metadata_public_key(&bytes);
            let _ = metadata_public_key(&answer(&bytes));
        }
    }
}

//! The object that holds the certificate of a slot.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use thiserror::Error;

use super::tlv::{TlvReader, TlvWriter};
use super::transfer::TransferError;
use crate::error::DecodeError;

/// A certificate as a card keeps it.
///
/// ```text
/// 70 certificate, DER, or gzip of that    71 CertInfo, one byte    FE (empty)
/// ```
///
/// CertInfo of 01 says gzip; cards of the first edition of the standard have 80 for it.
///
/// Source: NIST SP 800-73-4 Part 1, table 10 and appendix A.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateObject {
    /// The certificate, DER, not compressed. Not looked into.
    pub der: Vec<u8>,
    /// Whether the card keeps it compressed.
    pub compressed: bool,
}

impl CertificateObject {
    /// The longest certificate, in bytes, before and after decompression.
    pub const MAX_LEN: usize = 16_384;

    /// Reads the object. Elements that are not known are passed over, and so is their order.
    /// `None` for an object that is there without a certificate in it, which is how some cards say
    /// that they have none.
    ///
    /// # Errors
    /// [`CertificateError`] if it cannot be read, is not what CertInfo says, or is too long.
    pub fn decode(object: &[u8]) -> Result<Option<Self>, CertificateError> {
        let certificate = TlvReader::new(object).find(TAG_CERTIFICATE)?;
        let info = TlvReader::new(object).find(TAG_INFO)?;
        let Some(certificate) = certificate.filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        if certificate.len() > Self::MAX_LEN {
            return Err(CertificateError::TooLong);
        }
        let info = info.and_then(|value| value.first()).copied().unwrap_or(0);
        let compressed = info & (GZIP | GZIP_OF_FIRST_EDITION) != 0;
        let der = match compressed {
            true => decompress(certificate)?,
            false => certificate.to_vec(),
        };
        Ok(Some(Self { der, compressed }))
    }

    /// The object.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (certificate, info) = match self.compressed {
            true => (compress(&self.der), GZIP),
            false => (self.der.clone(), 0),
        };
        TlvWriter::new()
            .with(TAG_CERTIFICATE, &certificate)
            .with(TAG_INFO, &[info])
            .with(TAG_ERROR_DETECTION, &[])
            .into_bytes()
    }
}

/// Why an object holds no certificate that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// Not data objects.
    #[error(transparent)]
    Object(#[from] DecodeError),
    /// It did not come whole.
    #[error(transparent)]
    Answer(#[from] TransferError),
    /// Said to be gzip, and is not.
    #[error("the certificate is said to be compressed and cannot be decompressed")]
    Gzip,
    /// Longer than any certificate of a card.
    #[error("certificate of more than {} bytes", CertificateObject::MAX_LEN)]
    TooLong,
}

fn decompress(gzip: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let mut der = Vec::new();
    // One byte more than is accepted, to see that there is more.
    let limit = CertificateObject::MAX_LEN as u64 + 1;
    GzDecoder::new(gzip)
        .take(limit)
        .read_to_end(&mut der)
        .map_err(|_| CertificateError::Gzip)?;
    match der.len() {
        0 => Err(CertificateError::Gzip),
        long if long > CertificateObject::MAX_LEN => Err(CertificateError::TooLong),
        _ => Ok(der),
    }
}

fn compress(der: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(der).and_then(|()| encoder.finish());
    written.expect("writing into memory does not fail")
}

const TAG_CERTIFICATE: u32 = 0x70;
const TAG_INFO: u32 = 0x71;
const TAG_ERROR_DETECTION: u32 = 0xFE;
const GZIP: u8 = 0x01;
const GZIP_OF_FIRST_EDITION: u8 = 0x80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(compressed: bool) -> CertificateObject {
        let der = vec![0x30; 900];
        CertificateObject { der, compressed }
    }

    #[test]
    fn an_object_has_the_elements_of_the_standard() {
        let plain = CertificateObject {
            der: vec![0x30, 0],
            compressed: false,
        };
        assert_eq!(plain.encode(), [0x70, 2, 0x30, 0, 0x71, 1, 0, 0xFE, 0]);
        let compressed = object(true).encode();
        assert_eq!(compressed[2..5], [0x1F, 0x8B, 8], "gzip, deflate");
        assert!(compressed.len() < 100);
    }

    #[test]
    fn gzip_is_known_by_either_bit_and_without_the_rest() {
        let gzip = compress(&object(true).der);
        for info in [&[0x01][..], &[0x80], &[0x05]] {
            let bytes = TlvWriter::new().with(0x71, info).with(0x70, &gzip);
            let read = CertificateObject::decode(&bytes.into_bytes());
            assert_eq!(read, Ok(Some(object(true))), "{info:02X?}");
        }
        let bare = TlvWriter::new().with(0x70, &object(false).der).into_bytes();
        assert_eq!(CertificateObject::decode(&bare), Ok(Some(object(false))));
    }

    #[test]
    fn an_object_without_certificate_is_an_empty_slot() {
        for empty in [&[][..], &[0x70, 0, 0x71, 1, 0, 0xFE, 0], &[0xFE, 0]] {
            assert_eq!(CertificateObject::decode(empty), Ok(None));
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = compress(&vec![0; CertificateObject::MAX_LEN * 50]);
        assert!(bomb.len() < 2000);
        let bytes = TlvWriter::new().with(0x70, &bomb).with(0x71, &[1]);
        let read = CertificateObject::decode(&bytes.into_bytes());
        assert_eq!(read, Err(CertificateError::TooLong));
        let long = vec![0; CertificateObject::MAX_LEN + 1];
        let bytes = TlvWriter::new().with(0x70, &long).into_bytes();
        let read = CertificateObject::decode(&bytes);
        assert_eq!(read, Err(CertificateError::TooLong));
    }

    #[test]
    fn what_is_not_gzip_although_it_is_said_to_be_is_refused() {
        let mut gzip = compress(&object(true).der);
        let wrong_sum = gzip.len() - 5;
        gzip[wrong_sum] ^= 1;
        for bad in [&object(false).der[..], &gzip, &gzip[..20], &compress(&[])] {
            let bytes = TlvWriter::new().with(0x70, bad).with(0x71, &[1]);
            let read = CertificateObject::decode(&bytes.into_bytes());
            assert_eq!(read, Err(CertificateError::Gzip));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_encoded_decodes_to_the_same(
            der in prop::collection::vec(any::<u8>(), 1..3000), compressed: bool,
        ) {
            let object = CertificateObject { der, compressed };
            prop_assert_eq!(CertificateObject::decode(&object.encode()), Ok(Some(object)));
        }
    }
}

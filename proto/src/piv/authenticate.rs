//! GENERAL AUTHENTICATE: a signature by a key of the card.

use super::algorithm::KeyAlgorithm;
use super::slot::Slot;
use super::tlv::{TlvReader, TlvWriter};
use crate::error::DecodeError;

/// An order to sign.
///
/// Source: NIST SP 800-73-4 Part 2 §3.2.4; appendix A.3 and A.4 show it for RSA and ECDSA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneralAuthenticate {
    /// Algorithm of the key, P1.
    pub algorithm: KeyAlgorithm,
    /// The key, P2.
    pub slot: Slot,
    /// What is signed, [`KeyAlgorithm::input_len`] bytes: for RSA a padded block, for an elliptic
    /// curve a digest.
    pub input: Vec<u8>,
}

impl GeneralAuthenticate {
    /// The command's data: `7C { 82 {}, 81 { input } }`.
    #[must_use]
    pub fn template(&self) -> Vec<u8> {
        let inner = TlvWriter::new()
            .with(TAG_RESPONSE, &[])
            .with(TAG_CHALLENGE, &self.input)
            .into_bytes();
        TlvWriter::new().with(TAG_TEMPLATE, &inner).into_bytes()
    }

    /// Reads the command's data, as a card does.
    ///
    /// # Errors
    /// [`DecodeError`] if it is not an order to sign.
    pub fn input_of(template: &[u8]) -> Result<&[u8], DecodeError> {
        let inner = TlvReader::new(template).expect(TAG_TEMPLATE, WHAT)?;
        let asked = TlvReader::new(inner).find(TAG_RESPONSE)?;
        let input = TlvReader::new(inner).find(TAG_CHALLENGE)?;
        match (asked, input) {
            (Some([]), Some(input)) => Ok(input),
            _ => Err(DecodeError::Unexpected {
                what: WHAT,
                got: inner.len() as u64,
            }),
        }
    }
}

/// The signature out of the answer, `7C { 82 { signature } }`. For RSA it is as long as the
/// modulus, for an elliptic curve a DER Ecdsa-Sig-Value.
///
/// # Errors
/// [`DecodeError`] for anything else.
pub fn authenticate_answer(answer: &[u8]) -> Result<&[u8], DecodeError> {
    let inner = TlvReader::new(answer).expect(TAG_TEMPLATE, WHAT)?;
    TlvReader::new(inner).expect(TAG_RESPONSE, "response of GENERAL AUTHENTICATE")
}

/// The answer that carries `signature`.
#[must_use]
pub fn authenticate_response(signature: &[u8]) -> Vec<u8> {
    let inner = TlvWriter::new().with(TAG_RESPONSE, signature).into_bytes();
    TlvWriter::new().with(TAG_TEMPLATE, &inner).into_bytes()
}

const WHAT: &str = "dynamic authentication template";
const TAG_TEMPLATE: u32 = 0x7C;
const TAG_CHALLENGE: u32 = 0x81;
const TAG_RESPONSE: u32 = 0x82;

#[cfg(test)]
mod tests {
    use super::*;

    fn order(algorithm: KeyAlgorithm) -> GeneralAuthenticate {
        GeneralAuthenticate {
            algorithm,
            slot: Slot::Authentication,
            input: vec![9; algorithm.input_len()],
        }
    }

    #[test]
    fn templates_have_the_bytes_of_the_standard() {
        // Part 2 appendix A.3: 7C 82 0106 82 00 81 82 0100, and 256 bytes.
        let rsa = order(KeyAlgorithm::Rsa2048).template();
        assert_eq!(
            rsa[..10],
            [0x7C, 0x82, 0x01, 0x06, 0x82, 0x00, 0x81, 0x82, 0x01, 0x00]
        );
        assert_eq!(rsa.len(), 10 + 256);
        let curve = order(KeyAlgorithm::P256).template();
        assert_eq!(curve[..6], [0x7C, 0x24, 0x82, 0x00, 0x81, 0x20]);
        assert_eq!(authenticate_response(&[5; 3]), [0x7C, 5, 0x82, 3, 5, 5, 5]);
    }

    #[test]
    fn each_side_reads_what_the_other_writes() {
        for algorithm in KeyAlgorithm::ALL {
            let order = order(algorithm);
            let template = order.template();
            assert_eq!(
                GeneralAuthenticate::input_of(&template),
                Ok(&order.input[..])
            );
            let response = authenticate_response(&order.input);
            assert_eq!(authenticate_answer(&response), Ok(&order.input[..]));
        }
    }

    #[test]
    fn other_templates_are_refused() {
        for bad in [
            &[][..],
            &[0x7C, 0],
            &[0x7C, 3, 0x81, 1, 9],
            &[0x7C, 6, 0x82, 1, 0, 0x81, 1, 9],
            &[0x7C, 4, 0x82, 0, 0x85, 0],
        ] {
            assert!(GeneralAuthenticate::input_of(bad).is_err(), "{bad:02X?}");
        }
        for bad in [
            &[][..],
            &[0x7C, 0],
            &[0x7C, 3, 0x81, 1, 9],
            &[0x7C, 3, 0x82],
        ] {
            assert!(authenticate_answer(bad).is_err(), "{bad:02X?}");
        }
    }
}

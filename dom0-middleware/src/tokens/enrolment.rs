//! What a guest offers as the public key of its channel.

use proto::token::{ConfirmationKey, ConfirmationKeyError};
use thiserror::Error;

/// The most bytes of it that are looked at. A P-256 key takes 178 in PEM.
const MAX_ENROLMENT: usize = 512;

/// The key in what a guest has written. These bytes are the guest's: none of them is in an error.
///
/// # Errors
/// [`EnrolmentFault`], when there is no key in it.
pub(crate) fn enrolled_key(node: &[u8]) -> Result<ConfirmationKey, EnrolmentFault> {
    match node.len() {
        ..=MAX_ENROLMENT => Ok(ConfirmationKey::from_pem(node)?),
        got => Err(EnrolmentFault::TooLong { got }),
    }
}

/// Why a guest offers no key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum EnrolmentFault {
    /// Longer than a public key needs to be.
    #[error("{got} bytes, at most {MAX_ENROLMENT} are looked at")]
    TooLong {
        /// Bytes there are.
        got: usize,
    },
    /// Not a public key in PEM.
    #[error(transparent)]
    Key(#[from] ConfirmationKeyError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_of_512_bytes_is_read_and_one_of_513_is_not() {
        let key = ConfirmationKey::Ed25519([7; 32]);
        let mut node = key.to_pem().into_bytes();
        node.resize(512, b'\n');
        assert_eq!(enrolled_key(&node), Ok(key));
        node.push(b'\n');
        assert_eq!(
            enrolled_key(&node),
            Err(EnrolmentFault::TooLong { got: 513 })
        );
    }

    #[test]
    fn what_a_guest_has_written_is_not_in_the_reason() {
        let evil = "\u{1b}[2Jevil";
        for node in [
            evil.to_owned(),
            format!("-----BEGIN {evil}-----\n"),
            format!("-----BEGIN PUBLIC KEY-----\n{evil}\n-----END PUBLIC KEY-----\n"),
            format!("-----BEGIN PUBLIC KEY-----\n{evil}"),
        ] {
            let fault = enrolled_key(node.as_bytes()).expect_err("no key");
            let said = format!("{fault} {fault:?}");
            assert!(!said.contains("evil") && !said.contains('\u{1b}'), "{said}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_a_key_or_a_reason(
            node in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            if let Err(fault) = enrolled_key(&node) {
                let said = fault.to_string();
                prop_assert!(!said.contains(char::is_control));
            }
        }
    }
}

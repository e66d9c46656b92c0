//! What TLS calls a signature, and what a card makes it of.

use proto::piv::{KeyAlgorithm, SignatureForm, SignatureHash};
use rustls::SignatureScheme;

/// The kinds of signatures that a key can make, the best first. PKCS#1 is for TLS 1.2 alone.
#[must_use]
pub fn schemes(algorithm: KeyAlgorithm) -> &'static [SignatureScheme] {
    use SignatureScheme as S;
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => &[
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
        ],
        KeyAlgorithm::P256 => &[S::ECDSA_NISTP256_SHA256],
        KeyAlgorithm::P384 => &[S::ECDSA_NISTP384_SHA384],
    }
}

/// What TLS calls a scheme, as a card has it. `None` for schemes of keys that no card has.
#[must_use]
pub fn form_of(scheme: SignatureScheme) -> Option<SignatureForm> {
    use SignatureForm::{Ecdsa, Pkcs1, Pss};
    use SignatureHash::{Sha256, Sha384, Sha512};
    Some(match scheme {
        SignatureScheme::RSA_PSS_SHA256 => Pss(Sha256),
        SignatureScheme::RSA_PSS_SHA384 => Pss(Sha384),
        SignatureScheme::RSA_PSS_SHA512 => Pss(Sha512),
        SignatureScheme::RSA_PKCS1_SHA256 => Pkcs1(Sha256),
        SignatureScheme::RSA_PKCS1_SHA384 => Pkcs1(Sha384),
        SignatureScheme::RSA_PKCS1_SHA512 => Pkcs1(Sha512),
        SignatureScheme::ECDSA_NISTP256_SHA256 => Ecdsa(Sha256),
        SignatureScheme::ECDSA_NISTP384_SHA384 => Ecdsa(Sha384),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proto::piv::signature_input;

    use super::*;

    #[test]
    fn a_key_can_make_what_is_said_of_it() {
        for algorithm in KeyAlgorithm::ALL {
            for scheme in schemes(algorithm) {
                let form = form_of(*scheme).expect("a scheme of cards");
                let input = signature_input(algorithm, form, b"abc", &[0; 64]);
                assert!(input.is_some(), "{algorithm} {scheme:?}");
            }
        }
    }
}

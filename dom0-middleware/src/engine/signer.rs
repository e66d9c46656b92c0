//! The card as rustls sees it: a certificate, and a key that is somewhere else.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::CertificateDer;

use super::callbacks;
use crate::card::HandshakeFault;

/// Shows one identity to every server that asks for a certificate.
#[derive(Debug)]
pub(super) struct CardIdentity(Arc<CertifiedKey>);

impl CardIdentity {
    pub(super) fn new(certificates: &[Vec<u8>], schemes: Vec<SignatureScheme>) -> Self {
        let chain = certificates.iter().cloned().map(CertificateDer::from);
        let key = Arc::new(CardKey { schemes });
        Self(Arc::new(CertifiedKey::new(chain.collect(), key)))
    }
}

impl ResolvesClientCert for CardIdentity {
    // The server's list of CAs is a hint; the binding has said which identity it is.
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A key in a card.
#[derive(Debug)]
struct CardKey {
    schemes: Vec<SignatureScheme>,
}

impl SigningKey for CardKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self.schemes.iter().find(|scheme| offered.contains(scheme));
        let Some(&scheme) = scheme else {
            // rustls would go on without a certificate, and the server's refusal say less.
            callbacks::fail(HandshakeFault::NoSignatureScheme.into());
            return None;
        };
        Some(Box::new(CardSigner(scheme)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.schemes.first() {
            Some(
                SignatureScheme::ECDSA_NISTP256_SHA256
                | SignatureScheme::ECDSA_NISTP384_SHA384
                | SignatureScheme::ECDSA_NISTP521_SHA512,
            ) => SignatureAlgorithm::ECDSA,
            _ => SignatureAlgorithm::RSA,
        }
    }
}

/// The key, with what it will sign by.
#[derive(Debug)]
struct CardSigner(SignatureScheme);

impl Signer for CardSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        callbacks::sign(self.0, message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.0
    }
}

//! The certificate and key that the card shows and uses, counted.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::SubjectPublicKeyInfoDer;

/// The credential of the identity in use. Counts the operations with its private key.
///
/// One object serves all identities of a card, for the same reason as
/// [`CardVerifier`](super::verifier::CardVerifier).
#[derive(Debug, Default)]
pub(super) struct CardCredential {
    active: Mutex<Option<Arc<CertifiedKey>>>,
    private_key_operations: Arc<AtomicU32>,
}

impl CardCredential {
    /// Puts the credential of an identity in use.
    pub(super) fn activate(&self, credential: &CertifiedKey) {
        let key = CountedKey {
            key: Arc::clone(&credential.key),
            operations: Arc::clone(&self.private_key_operations),
        };
        let counted = CertifiedKey::new(credential.cert.clone(), Arc::new(key));
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(counted));
    }

    /// Operations with any private key so far, wrapping.
    pub(super) fn private_key_operations(&self) -> u32 {
        self.private_key_operations.load(Ordering::Relaxed)
    }

    /// The DER of the certificate in use.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.as_ref()?.cert.first().map(|der| der.to_vec())
    }
}

impl ResolvesClientCert for CardCredential {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct CountedKey {
    key: Arc<dyn SigningKey>,
    operations: Arc<AtomicU32>,
}

impl SigningKey for CountedKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.key.choose_scheme(offered)?;
        Some(Box::new(CountedSigner {
            signer,
            operations: Arc::clone(&self.operations),
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

#[derive(Debug)]
struct CountedSigner {
    signer: Box<dyn Signer>,
    operations: Arc<AtomicU32>,
}

impl Signer for CountedSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.operations.fetch_add(1, Ordering::Relaxed);
        self.signer.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.signer.scheme()
    }
}

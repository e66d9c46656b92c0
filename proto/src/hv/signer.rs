//! What signs for an HV, wherever its key is.

use crate::token::{SignatureAlgorithm, TokenError};

/// The private key of an HV: in a file, or in a card.
pub trait HvSigner: Send + Sync {
    /// The DER SubjectPublicKeyInfo of the key; equals that of its certificate.
    fn spki_der(&self) -> &[u8];

    /// What it can sign with, the algorithm to prefer first.
    fn algorithms(&self) -> &[SignatureAlgorithm];

    /// Signs `message`, which is not hashed yet. An ES256 signature is r and s, 64 bytes.
    ///
    /// # Errors
    /// [`SignError::Algorithm`] if the key cannot, [`SignError::Key`] if it fails.
    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key makes other signatures.
    #[error("the HV key cannot sign with {0}")]
    Algorithm(SignatureAlgorithm),
    /// What was to be signed is no token.
    #[error("no such token can be: {0}")]
    Token(#[from] TokenError),
    /// The key failed.
    #[error("the HV key did not sign: {0}")]
    Key(String),
}

//! What one command cost the card, as a list for the [timing](crate::timing) models to price.

/// One piece of work that a timing model puts a price on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// This many bytes crossed the interface, command and response together.
    Bytes(usize),
    /// One operation with the private key of the identity: the signature of CertificateVerify.
    PrivateKey,
    /// The public-key work of a full handshake: the server's chain and its signature checked, the
    /// key agreement done.
    PublicKey,
    /// Secrets derived, Finished messages made and checked: once in every handshake.
    KeySchedule,
}

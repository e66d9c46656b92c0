//! Signatures over checkpoints of the audit.

use super::key::ChannelKey;

/// Signs what the audit wants to be held to.
pub trait CheckpointSigner: Send + Sync {
    /// A signature over `message`: ECDSA on P-256 with SHA-256, in DER (RFC 3279 §2.2.3).
    fn sign(&self, message: &[u8]) -> Vec<u8>;

    /// What the signature is checked with, each in DER: the certificate of the channel key as it is
    /// now, and the HV certificate that vouches for it.
    fn certificates(&self) -> Vec<Vec<u8>>;
}

impl CheckpointSigner for ChannelKey {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_der(message)
    }

    fn certificates(&self) -> Vec<Vec<u8>> {
        let chain = self.chain();
        chain.iter().map(|der| der.to_vec()).collect()
    }
}

//! Why a server is not believed.

use crate::hex::hex;
use thiserror::Error;

/// Why a server's certificates were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustError {
    /// The binding names neither a CA nor a pin for this server.
    #[error("the binding trusts nobody for {server_name}")]
    NoTrustFor {
        /// The server's name.
        server_name: String,
    },
    /// The server sent no certificate.
    #[error("no certificate")]
    NoCertificate,
    /// No chain leads to a CA of the binding.
    #[error("unknown issuer")]
    UnknownIssuer,
    /// A certificate is past its end.
    #[error("expired at Unix time {not_after}")]
    Expired {
        /// When it ended, Unix seconds; 0 when the check does not say.
        not_after: u64,
    },
    /// A certificate has not begun.
    #[error("not valid before Unix time {not_before}")]
    NotYetValid {
        /// When it begins, Unix seconds; 0 when the check does not say.
        not_before: u64,
    },
    /// No subjectAltName of the certificate is the server's name.
    #[error("not valid for {server_name}, only for {}", presented.join(", "))]
    NameMismatch {
        /// The name wanted.
        server_name: String,
        /// The first names the certificate carries.
        presented: Vec<String>,
    },
    /// The name asked for is neither a DNS name nor an IP address.
    #[error("{server_name:?} is not a server name")]
    NotAName {
        /// The name wanted.
        server_name: String,
    },
    /// The leaf is not the one pinned.
    #[error("pinned certificate expected, got sha256 {}", hex(.got))]
    PinMismatch {
        /// SHA-256 of the leaf that came.
        got: [u8; 32],
    },
    /// The certificate cannot be read.
    #[error("malformed certificate")]
    Malformed,
    /// A signature in the chain is wrong, or of a kind that is not accepted.
    #[error("bad signature in the chain: {0}")]
    Signature(String),
    /// Another reason of the certificate check.
    #[error("{0}")]
    Other(String),
}

/// Why a [`Trust`](super::Trust) cannot be made of what the configuration names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustSetupError {
    /// A CA certificate cannot be used as an anchor.
    #[error("CA certificate {index} cannot be used: {reason}")]
    BadAuthority {
        /// Its place in the list, from 0.
        index: usize,
        /// What the parser says.
        reason: String,
    },
    /// The certificate check could not be set up.
    #[error("certificate check: {0}")]
    Verifier(String),
}

//! What is wrong with a token.

use super::{MAX_TOKEN_LEN, SignatureAlgorithm};
use crate::hv::HvId;

/// Why bytes are no token, or not one to be believed. Every message says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Empty or too long.
    #[error("{got} bytes, 1 to {MAX_TOKEN_LEN} accepted")]
    Length {
        /// Bytes there were or would have been.
        got: usize,
    },
    /// Text that is not base64url.
    #[error("not base64url without padding: {0}")]
    Text(#[from] base64::DecodeError),
    /// Not CBOR, or not a COSE_Sign1 with tag 18.
    #[error("not a COSE_Sign1 with tag 18: {0}")]
    Envelope(String),
    /// A header that is not one.
    #[error("{part} header: {why}")]
    Header {
        /// `protected` or `unprotected`.
        part: &'static str,
        /// What the COSE library says.
        why: String,
    },
    /// A header that does not belong there.
    #[error("{part} header: unknown label {label}")]
    UnknownHeader {
        /// `protected` or `unprotected`.
        part: &'static str,
        /// Its label.
        label: String,
    },
    /// The protected header names no algorithm.
    #[error("protected header: no algorithm (1)")]
    NoAlgorithm,
    /// An algorithm that no token is signed with.
    #[error("protected header: algorithm {0} is not one of PS256, RS256, ES256, EdDSA")]
    Algorithm(String),
    /// The header `typ` is missing or not that of a token.
    #[error("protected header: type (16) is not \"{}\"", super::TOKEN_TYPE)]
    Type,
    /// No claims are inside.
    #[error("payload: not a CBOR map of claims: {0}")]
    Payload(String),
    /// A claim that is missing, unknown or wrong.
    #[error("claim {claim}: {problem}")]
    Claim {
        /// The claim, as the specification names it.
        claim: String,
        /// What is wrong with it.
        problem: ClaimProblem,
    },
    /// The same content, but written in another way than the only one allowed: an indefinite
    /// length, an integer in a longer form, keys in another order.
    #[error("byte {at}: not deterministic CBOR (RFC 8949 §4.2.1)")]
    NotDeterministic {
        /// First byte that differs, the first one of the token being 0.
        at: usize,
    },
    /// None of the HV certificates at hand is the issuer's.
    #[error("issuer {0}: no certificate of that HV is known here")]
    Issuer(HvId),
    /// The issuer's key cannot make such signatures.
    #[error("algorithm {algorithm} does not fit the HV key, which is {key}")]
    AlgorithmForKey {
        /// The token's.
        algorithm: SignatureAlgorithm,
        /// Kind of the issuer's key.
        key: String,
    },
    /// The signature is not the issuer's over these bytes.
    #[error("the signature is not that of the HV key")]
    Signature,
}

/// What is wrong with a claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimProblem {
    /// It must be there.
    #[error("missing")]
    Missing,
    /// It stands there more than once.
    #[error("more than once")]
    Twice,
    /// No token has such a claim.
    #[error("unknown")]
    Unknown,
    /// It holds something else.
    #[error("not {0}")]
    Not(&'static str),
    /// A time that does not follow what it must follow.
    #[error("not after {0}")]
    NotAfter(&'static str),
    /// The token would be good for too long.
    #[error("{days} days of life, at most {max} allowed")]
    Life {
        /// Days, rounded up.
        days: u64,
        /// Days allowed.
        max: u64,
    },
}

//! VM-Auth-Token: which VM this is, which certificates its cards hold, which key its channel has.
//!
//! A token is a CWT (RFC 8392) in a COSE_Sign1 (RFC 9052), signed by the HV key of a host:
//!
//! ```text
//! 18([ h'{1: alg, 16: "tessera-vm-token+cwt"}', {}, h'claims', h'signature' ])
//! ```
//!
//! The signature also covers the external data [`EXTERNAL_AAD`]. A token has exactly one form: what
//! is decoded is encoded once more, and must give the same bytes. So there are no duplicate keys,
//! no indefinite lengths, no integers in a longer form, nothing unknown and nothing behind its end.
//!
//! The guest only carries a token, as bytes or as text ([`to_text`]); to make and check one takes
//! the feature `token`. `decode` and `verify` know neither the time nor what was revoked.
//!
//! Source: design §3; RFC 8392, RFC 9052, RFC 9596 (header `typ`), RFC 8747 (`cnf`).

mod algorithm;
mod confirmation_key;
mod error;
mod text;

#[cfg(feature = "token")]
mod claims;
#[cfg(feature = "token")]
mod payload;
#[cfg(feature = "token")]
mod sign1;

#[cfg(all(test, feature = "hv-key"))]
mod attack_tests;
#[cfg(all(test, feature = "hv-key"))]
mod cddl_tests;
#[cfg(all(test, feature = "hv-key"))]
mod claim_tests;
#[cfg(all(test, feature = "hv-key"))]
mod forgery;
#[cfg(all(test, feature = "hv-key"))]
mod tests;

pub use algorithm::{SignatureAlgorithm, UnknownAlgorithm};
pub use confirmation_key::{ConfirmationKey, ConfirmationKeyError};
pub use error::{ClaimProblem, TokenError};
pub use text::{from_text, to_text};

#[cfg(feature = "token")]
pub use claims::{Claims, DEFAULT_LIFE, MAX_CERTIFICATES, MAX_HV_DOMAIN_LEN, MAX_LIFE};
#[cfg(feature = "token")]
pub use sign1::{decode, sign, verify};

/// Longest token, in bytes (design §9).
pub const MAX_TOKEN_LEN: usize = 2048;

/// What the signature covers beside header and claims.
pub const EXTERNAL_AAD: &[u8] = b"tessera vm-auth-token v1";

/// The value of the header `typ` (16).
pub const TOKEN_TYPE: &str = "tessera-vm-token+cwt";

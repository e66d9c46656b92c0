//! The signature algorithms of a token.

use std::fmt;
use std::str::FromStr;

/// What a token may be signed with; nothing else is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS with SHA-256, -37 (RFC 8230).
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, -257 (RFC 8812).
    Rs256,
    /// ECDSA on P-256 with SHA-256, -7 (RFC 9053 §2.1).
    Es256,
    /// Ed25519, -8 (RFC 9053 §2.2).
    EdDsa,
}

impl SignatureAlgorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ps256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// Its name in the registry of COSE algorithms.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = UnknownAlgorithm;

    /// By its name, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let is_it = |one: &Self| one.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(is_it).ok_or(UnknownAlgorithm)
    }
}

/// Not the name of a [`SignatureAlgorithm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of PS256, RS256, ES256, EdDSA")]
pub struct UnknownAlgorithm;

//! What a VM-Auth-Token says once its signature has been verified.

use std::sync::Arc;

use proto::hv::{HvCertificate, HvId};
use proto::id::DomainUuid;
use proto::token::Claims;

use crate::time::UnixTime;

/// The claims of a token whose signature is good. That they fit is for [`super::judge`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The host that signed it.
    pub iss: HvId,
    /// The domain it names.
    pub sub: DomainUuid,
    /// The first moment at which it is no longer good.
    pub exp: UnixTime,
    /// The first moment at which it is good, if it says so.
    pub nbf: Option<UnixTime>,
    /// When it was issued.
    pub iat: UnixTime,
    /// Its number, for revocation.
    pub cti: [u8; 16],
    /// Whether its `cnf` key is the key that authenticated the channel.
    pub cnf_matches_channel: bool,
    /// SHA-256 of the certificates whose keys the domain may use.
    pub vm_cert_sha256: Vec<[u8; 32]>,
}

impl VerifiedToken {
    /// What a token with a good signature says, shown on a channel that `channel_spki` (DER)
    /// authenticated.
    #[must_use]
    pub fn new(claims: Claims, channel_spki: &[u8]) -> Self {
        Self {
            iss: claims.iss,
            sub: claims.sub,
            exp: UnixTime::from_secs(claims.exp),
            nbf: claims.nbf.map(UnixTime::from_secs),
            iat: UnixTime::from_secs(claims.iat),
            cti: claims.cti,
            cnf_matches_channel: claims.cnf.spki_der() == channel_spki,
            vm_cert_sha256: claims.vm_cert_sha256,
        }
    }
}

/// What a guest showed in its `hello`, after its form and signature were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownToken {
    /// A token with a good signature.
    Verified(Arc<VerifiedToken>),
    /// A token that is malformed or whose signature is not good, and why.
    Rejected(Arc<str>),
    /// None.
    Missing,
}

impl ShownToken {
    /// Looks at the form and the signature of a token: `issuers` are the HV certificates of this
    /// host. The time, revocation and whom it names are for the judgement.
    #[must_use]
    pub fn examine(token: &[u8], channel_spki: &[u8], issuers: &[HvCertificate]) -> Self {
        if token.is_empty() {
            return Self::Missing;
        }
        match proto::token::verify(token, issuers) {
            Ok(claims) => Self::Verified(Arc::new(VerifiedToken::new(claims, channel_spki))),
            Err(error) => Self::Rejected(error.to_string().into()),
        }
    }
}

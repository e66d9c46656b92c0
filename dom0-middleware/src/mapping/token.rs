//! What a VM-Auth-Token says once its signature has been verified.

use std::fmt;
use std::sync::Arc;

use proto::id::DomainUuid;

use crate::time::UnixTime;

/// Names a host's HV certificate: SHA-256 of its DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub [u8; 32]);

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hv:sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The claims of a token whose signature is good. That they fit is for [`super::judge`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The host that signed it.
    pub iss: HostId,
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

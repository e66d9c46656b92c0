//! Every no of the judgement, in full for the audit and as one code for the guest.

use proto::agent::RefusalCode;
use proto::hv::HvId;
use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use thiserror::Error;

use super::facts::ReadFault;
use crate::time::UnixTime;

/// Why a domain may not do what it wants to do.
///
/// The text is for the audit and the operator: a guest learns [`Reason::code`] only.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// Nobody has the domid any more.
    #[error("domain {domid} is gone")]
    DomainGone {
        /// The domid.
        domid: DomId,
    },
    /// Who has the domid could not be found out.
    #[error("the UUID of domain {domid} could not be read: {why}")]
    DomainUnreadable {
        /// The domid.
        domid: DomId,
        /// Why.
        why: ReadFault,
    },
    /// The channel was made for another domain that had this domid.
    #[error("domain {domid} is now {is}, the channel was made for {was}")]
    DomainChanged {
        /// The domid.
        domid: DomId,
        /// The UUID the channel was made for.
        was: DomainUuid,
        /// The UUID of today.
        is: DomainUuid,
    },
    /// Two live domains have one UUID.
    #[error("domains {domid} and {other} both have UUID {uuid}")]
    UuidShared {
        /// This domid.
        domid: DomId,
        /// The other one.
        other: DomId,
        /// The UUID.
        uuid: DomainUuid,
    },

    /// No token was shown.
    #[error("no token")]
    TokenMissing,
    /// The token is malformed or its signature is not good.
    #[error("the token is not good: {why}")]
    TokenRejected {
        /// What is wrong with it.
        why: String,
    },
    /// The token was revoked.
    #[error("the token was revoked")]
    TokenRevoked,
    /// The token's time is over.
    #[error("the token expired at {exp}")]
    TokenExpired {
        /// When.
        exp: UnixTime,
    },
    /// The token's time has not come.
    #[error("the token is not valid before {from}")]
    TokenNotYetValid {
        /// Its `nbf`, or its `iat` if that is later.
        from: UnixTime,
    },
    /// The token was signed for another host.
    #[error("the token was issued by {iss}, which is not this host")]
    TokenOfOtherHost {
        /// Who signed it.
        iss: HvId,
    },
    /// The token was signed with a former key whose time is over.
    #[error("the token was issued under a key that was in use until {until}")]
    TokenOfFormerKey {
        /// Until when.
        until: UnixTime,
    },
    /// The token names another domain.
    #[error("the token was issued to {sub}")]
    TokenOfOtherDomain {
        /// Whom it names.
        sub: DomainUuid,
    },
    /// The token's key is not the channel's.
    #[error("the token belongs to another key than the channel's")]
    TokenOfOtherKey,
    /// The token is older than the binding accepts.
    #[error("the token was issued at {iat}, tokens count from {from} on")]
    TokenTooOld {
        /// When it was issued.
        iat: UnixTime,
        /// From when on tokens count.
        from: UnixTime,
    },
    /// The identity's certificate is none of the token's.
    #[error("the token does not name the certificate of the identity")]
    TokenWithoutCertificate,

    /// The domain is bound to nothing.
    #[error("no binding")]
    NotBound,
    /// The domain is bound, but not to this identity.
    #[error("no binding with identity {identity:?}", identity = identity.as_str())]
    IdentityNotBound {
        /// The identity asked for.
        identity: IdentityName,
    },
    /// The domain is bound to several identities and named none.
    #[error("bound to several identities, none was named")]
    IdentityNotNamed,
    /// The binding that was granted is no more.
    #[error("the binding was removed")]
    BindingRemoved,
    /// The bindings of the domain are others than when its RACS connection was let in.
    #[error("the bindings of the domain have changed")]
    BindingsChanged,
    /// The binding names no identity and the card is not there to ask.
    #[error("card {seid} is not there, and the binding names no identity")]
    CardNotRead {
        /// The card.
        seid: Seid,
    },
    /// The binding names no identity and the card does not hold exactly one.
    #[error("card {seid} does not hold exactly one identity, and the binding names none")]
    NotTheOnlyIdentity {
        /// The card.
        seid: Seid,
    },
    /// The card does not hold the identity of the binding.
    #[error("card {seid} holds no identity {identity:?}", identity = identity.as_str())]
    IdentityNotOnCard {
        /// The card.
        seid: Seid,
        /// The identity.
        identity: IdentityName,
    },
    /// Nobody knows the identity's certificate.
    #[error("card {seid} does not let the certificate be read; the binding needs `cert`")]
    CertificateUnknown {
        /// The card.
        seid: Seid,
    },
    /// The card holds another certificate than the binding gives, or than it held before.
    #[error("card {seid} holds another certificate than expected")]
    CertificateDiffers {
        /// The card.
        seid: Seid,
    },
}

impl Reason {
    /// The one word a guest learns of it.
    #[must_use]
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::DomainGone { .. }
            | Self::DomainChanged { .. }
            | Self::UuidShared { .. }
            | Self::NotBound
            | Self::IdentityNotBound { .. }
            | Self::BindingRemoved
            | Self::NotTheOnlyIdentity { .. }
            | Self::IdentityNotOnCard { .. }
            | Self::CertificateUnknown { .. } => RefusalCode::NotBound,
            Self::DomainUnreadable { .. } => RefusalCode::Internal,
            Self::TokenMissing
            | Self::TokenRejected { .. }
            | Self::TokenOfOtherHost { .. }
            | Self::TokenOfOtherDomain { .. }
            | Self::TokenOfOtherKey
            | Self::TokenWithoutCertificate => RefusalCode::BadToken,
            Self::TokenExpired { .. }
            | Self::TokenNotYetValid { .. }
            | Self::TokenOfFormerKey { .. } => RefusalCode::TokenExpired,
            Self::TokenRevoked | Self::TokenTooOld { .. } => RefusalCode::TokenRevoked,
            Self::IdentityNotNamed | Self::BindingsChanged => RefusalCode::Policy,
            Self::CardNotRead { .. } => RefusalCode::NoCard,
            Self::CertificateDiffers { .. } => RefusalCode::CardFailed,
        }
    }

    /// Whether the channel itself must end: it belongs to a domain that is no more.
    #[must_use]
    pub fn ends_channel(&self) -> bool {
        matches!(self, Self::DomainChanged { .. } | Self::DomainGone { .. })
    }
}

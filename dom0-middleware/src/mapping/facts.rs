//! The facts a judgement rests on.

use proto::hv::HvId;
use proto::id::{DomId, DomainUuid};
use thiserror::Error;

use super::binding::BindingFact;
use super::token::VerifiedToken;
use crate::time::UnixTime;

/// Everything a judgement looks at besides the wish and the time.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Who is at the other end of the channel.
    pub channel: ChannelFact,
    /// Who that is, read just now.
    pub domain: &'a DomainFact,
    /// What the domain shows.
    pub token: TokenFact<'a>,
    /// What tokens are compared with.
    pub host: HostFact<'a>,
    /// What the domain is bound to; those of other domains are not among them.
    pub bindings: &'a [BindingFact],
}

/// What the channel proves by itself. Never a field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelFact {
    /// The peer's domid.
    pub domid: DomId,
    /// The domain that had this domid when the channel was made.
    pub made_for: DomainUuid,
}

/// Who is behind a domid, as dom0 knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainFact {
    /// One domain.
    Known {
        /// Its UUID.
        uuid: DomainUuid,
        /// Its name, for the audit.
        name: String,
    },
    /// A domain whose UUID another live domid has too: neither can be told from the other.
    Shared {
        /// The UUID of both.
        uuid: DomainUuid,
        /// The other domid.
        other: DomId,
    },
    /// Nobody: the domain has ended.
    Gone,
    /// Not to be found out.
    Unreadable(ReadFault),
}

/// Why it cannot be found out who is behind a domid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadFault {
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// Nobody can be asked.
    #[error("xenstore cannot be reached")]
    Unreachable,
    /// What stands at this node of the domain is not what the toolstack writes.
    #[error("node {0:?} of the domain in xenstore is malformed")]
    Malformed(&'static str),
}

/// The VM-Auth-Token of a connection.
#[derive(Debug, Clone, Copy)]
pub enum TokenFact<'a> {
    /// One with a good signature.
    Verified {
        /// What it says.
        token: &'a VerifiedToken,
        /// Whether it was revoked.
        revoked: bool,
    },
    /// One that is malformed or whose signature is not good, and why.
    Rejected(&'a str),
    /// None.
    Missing,
    /// The channel is for development and asks for none.
    SwitchedOff,
}

/// What this host knows of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostFact<'a> {
    /// Its HV certificates, the current and former ones.
    pub issuers: &'a [Issuer],
}

/// One HV certificate of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issuer {
    /// Its name in tokens.
    pub id: HvId,
    /// For a former one: the first moment at which its tokens are no longer good.
    pub until: Option<UnixTime>,
}

//! What is recorded of users of the RACS server, and of guests that speak RACS to their own card. Never
//! what they send.

use proto::id::DomainUuid;
use serde::Serialize;

/// A user who was let in, once or several times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RacsConnected {
    /// The common name of the user's certificate; of a guest its name.
    pub user: String,
    /// The domain, if it is a guest over its channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainUuid>,
    /// From where, the last time; of a guest `domid` and its domid.
    pub address: String,
    /// Whether the configuration knows the user; one that it does not know has no rights.
    #[serde(rename = "listed")]
    pub is_listed: bool,
    /// How many times since the last such record.
    pub count: u64,
}

/// Connections of a user that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RacsClosed {
    /// The user.
    pub user: String,
    /// The domain, if it is a guest over its channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainUuid>,
    /// From where, the last one.
    pub address: String,
    /// Why the last one ended.
    pub why: String,
    /// APDUs that were not sent to a card, because the user may not send them.
    pub apdus_refused: u64,
    /// How many since the last such record.
    pub count: u64,
}

/// Connections that were not let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RacsRefused {
    /// The user, if a good certificate said who it is; of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// From where, the last one.
    pub address: String,
    /// What kind of reason.
    pub because: RacsRefusedFor,
    /// Why, the last one.
    pub why: String,
    /// How many for reasons of this kind since the last such record.
    pub count: u64,
}

/// Kinds of reasons not to let somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RacsRefusedFor {
    /// There was no TLS connection with a good certificate.
    Tls,
    /// The certificate names no user.
    Certificate,
    /// There are as many connections as there may be.
    Limit,
}

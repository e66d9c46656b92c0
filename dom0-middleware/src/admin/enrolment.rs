//! What operators say and see of tokens that go through xenstore, and of guests that wait for one.

use proto::id::{DomId, DomainUuid};
use serde::{Deserialize, Serialize};

use super::rights::{VmName, VmView};

/// Tokens that go to domains through xenstore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensView {
    /// The folder they are taken from.
    pub folder: String,
    /// How many running domains have theirs.
    pub given: usize,
    /// What keeps others from theirs, and what to do.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub problems: Vec<String>,
}

/// A running domain that offers a key and has no token for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingView {
    /// The domain.
    pub domain: DomainUuid,
    /// Its name, if it can be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Its domid.
    pub domid: DomId,
    /// Whether it is bound to a card.
    pub bound: bool,
    /// What its key is told from others by: `SHA256:` and 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fingerprint: Option<String>,
    /// Why it cannot be approved as it is. Nothing that the guest wrote is in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
}

/// What `vm approve` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    /// The domain.
    pub vm: VmName,
    /// The only key that is approved: `SHA256:` and 64 hexadecimal digits.
    pub fingerprint: String,
    /// For how many days, 1 to [`MAX_DAYS`].
    pub days: u64,
}

/// The most days of a token.
pub const MAX_DAYS: u64 = proto::token::MAX_LIFE / 86_400;

/// The days of a token unless told.
pub const DEFAULT_DAYS: u64 = proto::token::DEFAULT_LIFE / 86_400;

/// A key that was approved, and the token for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmApproved {
    /// Whose key.
    #[serde(flatten)]
    pub vm: VmView,
    /// The key.
    pub fingerprint: String,
    /// The number of the token, in hexadecimal.
    pub cti: String,
    /// When it ends.
    pub exp: String,
    /// SHA-256 of the certificates that it names.
    pub certificates: Vec<String>,
    /// The file it is in.
    pub file: String,
    /// What the operator should look at.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}

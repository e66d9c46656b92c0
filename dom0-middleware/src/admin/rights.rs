//! What operators say and see of bindings and tokens.

use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use serde::{Deserialize, Serialize};

/// A domain as an operator says it: its UUID, or its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VmName(pub String);

/// What `vm bind` says. Files are read by whoever says it: the service may not see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindRequest {
    /// The domain.
    pub vm: VmName,
    /// The card; several are not possible yet.
    pub cards: Vec<Seid>,
    /// The identities; none for the only one the card holds.
    pub identities: Vec<IdentityName>,
    /// CA certificates that servers must chain to, PEM, at most [`MAX_TRUST`] bytes.
    pub trust: String,
    /// The servers that may be connected to; none for all that the trust vouches for.
    pub server_names: Vec<String>,
    /// The identity's certificate, PEM, at most [`MAX_CERTIFICATE`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The lowest TLS version, as `1.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<String>,
    /// Whether sessions may be resumed.
    pub resume: bool,
    /// Whether other domains may use other identities of the card.
    pub shared: bool,
    /// The raw APDUs that the domain may send to the card, rows of mask and value, at most
    /// [`MAX_RAW_APDU`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_apdu: Option<String>,
}

/// The most bytes of CA certificates that a binding takes.
pub const MAX_TRUST: usize = 256 << 10;
/// The most bytes of an identity's certificate.
pub const MAX_CERTIFICATE: usize = 64 << 10;

/// The most bytes of a list of raw APDUs.
pub const MAX_RAW_APDU: usize = 64 << 10;

/// One binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingView {
    /// The domain.
    pub domain: DomainUuid,
    /// Its name, if it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The card.
    pub seid: Seid,
    /// The identity; absent for the only one the card holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity: Option<IdentityName>,
    /// Who made it.
    pub origin: Origin,
    /// Whether other domains may use other identities of the card.
    pub shared: bool,
    /// The servers that may be connected to; none for all that its trust vouches for.
    pub server_names: Vec<String>,
    /// The lowest TLS version.
    pub min_version: String,
    /// Whether sessions may be resumed.
    pub resume: bool,
    /// A digest of the CAs and pins it believes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trust_sha256: Option<String>,
    /// The raw APDUs that the domain may send to the card, rows of mask and value; absent for none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub raw_apdu: Option<Vec<String>>,
    /// When it was made, if by a command.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bound_at: Option<String>,
}

/// Who made a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The configuration: it cannot be changed by a command.
    Config,
    /// `vm bind`.
    Command,
}

impl Origin {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Command => "command",
        }
    }
}

/// Which domain was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmView {
    /// Its UUID.
    pub uuid: DomainUuid,
    /// Its name, if it is running or in the configuration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Its domids; none when it is not running.
    pub domids: Vec<DomId>,
}

/// Everything about one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmDetails {
    /// Which one.
    #[serde(flatten)]
    pub vm: VmView,
    /// What it is bound to.
    pub bindings: Vec<BindingView>,
    /// Tokens issued earlier do not count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokens_from: Option<String>,
    /// The token it showed last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<TokenView>,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmChanged {
    /// Whose bindings or tokens.
    #[serde(flatten)]
    pub vm: VmView,
    /// The number of the change, as in its audit record.
    pub change: u64,
    /// The bindings that were made or removed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub bindings: Vec<BindingView>,
    /// From when on tokens count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokens_from: Option<String>,
    /// What the operator should look at: done, but perhaps not what was meant.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}

/// A token, as far as it is known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// Its number, in hexadecimal.
    pub cti: String,
    /// Whether it counts.
    pub state: TokenState,
    /// The domain that showed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub domain: Option<DomainUuid>,
    /// That domain's name, if it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Who signed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub iss: Option<String>,
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub iat: Option<String>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exp: Option<String>,
    /// When it was first shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_seen: Option<String>,
    /// When it was last shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seen: Option<String>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked_at: Option<String>,
}

/// Whether a token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenState {
    /// It does.
    Good,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// All tokens of its domain that were issued so early do not count.
    TooOld,
}

impl TokenState {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::TooOld => "too old",
        }
    }
}

/// A token that was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// The token.
    #[serde(flatten)]
    pub token: TokenView,
    /// The number of the change; absent when it was revoked before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change: Option<u64>,
}

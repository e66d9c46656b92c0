//! What `status` says.

use std::path::{self, Path, PathBuf};

use proto::id::{DomId, DomainUuid};
use proto::piv::PinLook;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::certificate::CertificateView;
use super::enrolment::TokensView;
use super::racs::RacsView;
use super::rights::BindingView;
use crate::broker::{CardView, Snapshot};
use crate::card::Unaccepted;
use crate::config::Config;
use crate::xen::Health;

/// Everything at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// How it is set up.
    #[serde(flatten)]
    pub service: ServiceView,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// How xenstored is doing; absent when domains are known from the configuration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub xenstore: Option<XenstoreView>,
    /// Cards, connections, handshakes.
    #[serde(flatten)]
    pub state: Snapshot,
}

/// How xenstored is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct XenstoreView {
    /// Whether it answers.
    pub state: XenstoreState,
    /// How many domains lived when it answered last, dom0 included.
    pub domains: usize,
    /// Seconds since it does not answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub for_s: Option<u64>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
}

/// Whether xenstored answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum XenstoreState {
    /// It does.
    Answers,
    /// It is there and says nothing.
    Mute,
    /// It is not there, or not ready; the service tries again and again.
    Reconnecting,
}

impl XenstoreView {
    /// What is known of it, at `now`.
    #[must_use]
    pub fn of(health: Health, now: Instant) -> Self {
        let trouble = health.trouble;
        Self {
            state: match &trouble {
                None => XenstoreState::Answers,
                Some(trouble) if trouble.is_mute => XenstoreState::Mute,
                Some(_) => XenstoreState::Reconnecting,
            },
            domains: health.domains,
            for_s: trouble
                .as_ref()
                .map(|trouble| now.saturating_duration_since(trouble.since).as_secs()),
            problem: trouble.map(|trouble| trouble.problem),
        }
    }
}

/// How a service is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its version.
    pub version: String,
    /// The configuration file.
    pub config: String,
    /// The audit file.
    pub audit_file: String,
    /// The durable state.
    pub state_file: String,
    /// What was noticed at start and has to be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// The key of the host's HV, where a card has it; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hv_key: Option<HvKeyView>,
    /// The library by which bound domains that run have vchans; absent when they have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vchan: Option<String>,
    /// Cards for users over the network; absent where the server is not enabled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub racs: Option<RacsView>,
    /// Channels to guests.
    pub channels: Vec<ChannelView>,
    /// Who is bound to what.
    pub bindings: Vec<BindingView>,
    /// Tokens that go to domains through xenstore; absent where none do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokens: Option<TokensView>,
}

/// An HV key in a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HvKeyView {
    /// Reader and slot, as in the configuration.
    pub card: String,
    /// When the channel's certificate ends that it has signed.
    pub certificate_until: String,
    /// What is wrong with it now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
}

/// Everything about one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardDetails {
    /// What the list says of it.
    #[serde(flatten)]
    pub card: CardView,
    /// Where it comes from.
    pub place: String,
    /// What the card that belongs here is known again by; absent when none was adopted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub adopted: Option<String>,
    /// Its PIN; absent when no file is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pin: Option<PinView>,
    /// How its PIN stands, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pin_status: Option<PinStatusView>,
    /// What the certificates of its identities say, those that can be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub certificates: Vec<CertificateView>,
}

/// What can be said of a PIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinView {
    /// The file it is in.
    pub file: PathBuf,
    /// Why it would not be sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
}

/// How a PIN stands with its card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum PinStatusView {
    /// The card has verified it, and shows no tries as long as it remembers that.
    Verified,
    /// The card shows how many tries there are.
    Tries {
        /// How many.
        left: u8,
    },
    /// The card shows that there is none left.
    Blocked,
    /// The card does not tell how many there are, so it is sent no PIN.
    Untold,
    /// The card could tell and was not asked, or gave no answer.
    NotAsked {
        /// Why.
        why: String,
    },
    /// The card, which does not show its tries, took the PIN when it was opened, or wants none.
    Ok,
    /// A PIN was sent, and nobody heard whether the card took it.
    Pending,
    /// The card did not take the PIN that it was sent.
    Failed,
}

impl From<PinLook> for PinStatusView {
    fn from(look: PinLook) -> Self {
        match look {
            PinLook::Verified => Self::Verified,
            PinLook::Tries(left) => Self::Tries { left },
            PinLook::Blocked => Self::Blocked,
            PinLook::Silent => Self::Untold,
        }
    }
}

impl From<Unaccepted> for PinStatusView {
    fn from(unaccepted: Unaccepted) -> Self {
        match unaccepted {
            Unaccepted::Pending => Self::Pending,
            Unaccepted::Refused => Self::Failed,
        }
    }
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelView {
    /// `unix` or `vchan`.
    pub kind: String,
    /// Its path: in the file system, or in xenstore.
    pub path: String,
    /// The domid behind it.
    pub domid: DomId,
    /// The domain behind it, if the configuration says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub domain: Option<DomainUuid>,
    /// Whether it has neither TLS nor token.
    pub insecure_development: bool,
}

impl ServiceView {
    /// What can be said of a service with this configuration; its bindings are not among it.
    #[must_use]
    pub fn of(config: &Config, notes: Vec<String>) -> Self {
        let named = config.domains.named();
        let channels = config.channels.iter().map(|channel| ChannelView {
            kind: "unix".to_owned(),
            path: channel.path.display().to_string(),
            domid: channel.domid,
            domain: named
                .and_then(|domains| domains.by_domid(channel.domid))
                .map(|domain| domain.uuid),
            insecure_development: channel.insecure_development,
        });
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config: absolute(&config.path),
            audit_file: absolute(&config.audit_file),
            state_file: absolute(&config.state_file),
            notes,
            hv_key: None,
            vchan: None,
            racs: None,
            channels: channels.collect(),
            bindings: Vec::new(),
            tokens: None,
        }
    }
}

/// For who asks from another working directory.
fn absolute(path: &Path) -> String {
    let absolute = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.display().to_string()
}

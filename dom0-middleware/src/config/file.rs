//! The file as it is written: names of keys, kinds of values, defaults.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use proto::apdu::Aid;
use proto::card::{PinCharacters, PinForm};
use proto::id::{DomId, DomainUuid, IdentityName, Seid};
use proto::tls::ProtocolVersion;
use serde::Deserialize;
use toml::Spanned;

use super::value::{Bytes, Count, Millis, Sha256Hex, Text};
use crate::audit::Rotation;
use crate::limits::Limits;
use crate::mapping::NamePattern;
use crate::racs::client::GridAddress;
use crate::racs::server::ListenAddress;
use crate::time::UnixTime;

/// All of `dom0-middleware.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    #[serde(default)]
    pub(super) service: ServiceTable,
    #[serde(default)]
    pub(super) audit: AuditTable,
    #[serde(default)]
    pub(super) limits: LimitsTable,
    #[serde(default)]
    pub(super) xenstore: XenstoreTable,
    #[serde(default)]
    pub(super) vchan: VchanTable,
    #[serde(default)]
    pub(super) tokens: TokensTable,
    #[serde(default)]
    pub(super) racs: RacsTable,
    #[serde(default)]
    pub(super) hv: Vec<HvTable>,
    #[serde(default)]
    pub(super) profile: Vec<ProfileTable>,
    #[serde(default)]
    pub(super) card_source: Vec<CardSourceTable>,
    #[serde(default)]
    pub(super) card: Vec<CardTable>,
    #[serde(default)]
    pub(super) domain: Vec<DomainTable>,
    #[serde(default)]
    pub(super) channel: Vec<ChannelTable>,
    #[serde(default)]
    pub(super) binding: Vec<BindingTable>,
}

/// The table `[service]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServiceTable {
    pub(super) admin_socket: PathBuf,
    pub(super) audit_file: PathBuf,
    pub(super) state_file: PathBuf,
    pub(super) insecure_development: bool,
}

impl Default for ServiceTable {
    fn default() -> Self {
        Self {
            admin_socket: DEFAULT_ADMIN_SOCKET.into(),
            audit_file: "/var/log/dom0-middleware/audit.jsonl".into(),
            state_file: "/var/lib/dom0-middleware/state.db".into(),
            insecure_development: false,
        }
    }
}

/// Where the service is asked unless told otherwise.
pub(crate) const DEFAULT_ADMIN_SOCKET: &str = "/run/dom0-middleware/admin.sock";

/// The table `[audit]`; what is left out is as in [`Rotation::default`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuditTable {
    max_bytes: Option<Spanned<Count>>,
    keep: Option<Count>,
}

impl AuditTable {
    /// Where and how large `max_bytes` is, if it is given.
    pub(super) fn max_bytes(&self) -> Option<(usize, usize)> {
        let given = self.max_bytes.as_ref()?;
        Some((given.span().start, (*given.get_ref()).into()))
    }
}

impl From<AuditTable> for Rotation {
    fn from(table: AuditTable) -> Self {
        let default = Self::default();
        let max_bytes = table.max_bytes().map(|(_, bytes)| bytes as u64);
        let keep = table.keep.map(usize::from);
        Self {
            max_bytes: max_bytes.unwrap_or(default.max_bytes),
            keep: keep.map_or(default.keep, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        }
    }
}

/// The table `[limits]`; what is left out is as in [`Limits::default`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LimitsTable {
    connections_per_domain: Option<Count>,
    racs_per_domain: Option<Count>,
    racs_idle_ms: Option<Millis>,
    handshakes_per_domain: Option<Count>,
    sessions_per_domain: Option<Count>,
    queue_per_card: Option<Count>,
    hello_ms: Option<Millis>,
    handshake_ms: Option<Millis>,
    apdu_ms: Option<Millis>,
    peer_wait_ms: Option<Millis>,
    peer_wait_alone_ms: Option<Millis>,
    resume_for_ms: Option<Millis>,
    domain_read_ms: Option<Millis>,
    ping_after_ms: Option<Millis>,
    ping_answer_ms: Option<Millis>,
    handshake_bytes: Option<Count>,
    frame_bytes: Option<Spanned<Count>>,
}

impl LimitsTable {
    /// Where and how large `frame_bytes` is, if it is given.
    pub(super) fn frame_bytes(&self) -> Option<(usize, usize)> {
        let given = self.frame_bytes.as_ref()?;
        Some((given.span().start, (*given.get_ref()).into()))
    }
}

impl From<LimitsTable> for Limits {
    fn from(table: LimitsTable) -> Self {
        let default = Self::default();
        let count = |given: Option<Count>, default| given.map_or(default, usize::from);
        let time = |given: Option<Millis>, default| given.map_or(default, Duration::from);
        let frame_bytes = table.frame_bytes.map(Spanned::into_inner);
        Self {
            connections_per_domain: count(
                table.connections_per_domain,
                default.connections_per_domain,
            ),
            racs_per_domain: count(table.racs_per_domain, default.racs_per_domain),
            racs_idle: time(table.racs_idle_ms, default.racs_idle),
            handshakes_per_domain: count(
                table.handshakes_per_domain,
                default.handshakes_per_domain,
            ),
            sessions_per_domain: count(table.sessions_per_domain, default.sessions_per_domain),
            queue_per_card: count(table.queue_per_card, default.queue_per_card),
            hello: time(table.hello_ms, default.hello),
            handshake: time(table.handshake_ms, default.handshake),
            apdu: time(table.apdu_ms, default.apdu),
            peer_wait: time(table.peer_wait_ms, default.peer_wait),
            peer_wait_alone: time(table.peer_wait_alone_ms, default.peer_wait_alone),
            resume_for: table.resume_for_ms.map(Duration::from),
            domain_read: time(table.domain_read_ms, default.domain_read),
            ping_after: time(table.ping_after_ms, default.ping_after),
            ping_answer: time(table.ping_answer_ms, default.ping_answer),
            handshake_bytes: count(table.handshake_bytes, default.handshake_bytes),
            frame_bytes: count(frame_bytes, default.frame_bytes),
        }
    }
}

/// The table `[xenstore]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct XenstoreTable {
    pub(super) enabled: bool,
}

/// The table `[vchan]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct VchanTable {
    pub(super) enabled: Option<Spanned<bool>>,
}

/// The table `[tokens]`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TokensTable {
    pub(super) folder: PathBuf,
    pub(super) renew: bool,
}

impl Default for TokensTable {
    fn default() -> Self {
        Self {
            folder: "/var/lib/dom0-middleware/tokens".into(),
            renew: true,
        }
    }
}

/// The table `[racs]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RacsTable {
    pub(super) enabled: Option<Spanned<bool>>,
    pub(super) listen: Option<Text<ListenAddress>>,
    pub(super) certificate: Option<Spanned<PathBuf>>,
    pub(super) key: Option<Spanned<PathBuf>>,
    pub(super) client_ca: Option<Spanned<PathBuf>>,
    pub(super) max_connections: Option<Count>,
    pub(super) idle_lock_ms: Option<Millis>,
    pub(super) user: Vec<RacsUserTable>,
}

/// One `[[racs.user]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RacsUserTable {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) card: Vec<RacsCardTable>,
}

/// One `[[racs.user.card]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RacsCardTable {
    pub(super) seid: Spanned<Seid>,
    pub(super) operations: Spanned<Vec<RacsOperation>>,
    pub(super) apdu_allow: Option<Spanned<PathBuf>>,
}

/// What a RACS user may do with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RacsOperation {
    /// See it.
    Inventory,
    /// Power it and reset it.
    Power,
    /// Send APDUs to it.
    Apdu,
}

/// One `[[hv]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HvTable {
    pub(super) cert: Spanned<PathBuf>,
    pub(super) key: Option<Spanned<PathBuf>>,
    pub(super) passphrase_file: Option<Spanned<PathBuf>>,
    pub(super) pin_file: Option<Spanned<PathBuf>>,
    pub(super) pin_credential: Option<Spanned<String>>,
    pub(super) pin_characters: Option<Spanned<PinCharactersName>>,
    pub(super) not_after: Option<Spanned<Text<UnixTime>>>,
}

/// One `[[profile]]`; what is left out is as in the built-in profile `base`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileTable {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) base: ProfileBase,
    pub(super) aid: Option<Text<Aid>>,
    pub(super) extended_length: Option<bool>,
    pub(super) pin_characters: Option<PinCharactersName>,
    pub(super) cla: Option<u8>,
    pub(super) pin_form: Option<PinFormName>,
    pub(super) segment_len: Option<Spanned<usize>>,
    pub(super) fragment_len: Option<Spanned<usize>>,
    pub(super) fetch_ins: Option<u8>,
    pub(super) fetch_fallback: Option<bool>,
    pub(super) reset_state: Option<bool>,
    pub(super) draft26_states: Option<bool>,
    pub(super) read_certificates: Option<bool>,
    pub(super) probe_parameters: Option<bool>,
    pub(super) store_session_id: Option<bool>,
    pub(super) export_suite: Option<Spanned<Text<Bytes>>>,
    pub(super) export_key_block: Option<Spanned<Text<Bytes>>>,
}

/// A built-in profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProfileBase {
    /// A card that makes handshakes.
    #[default]
    EapTls,
    /// A card that signs.
    Piv,
}

/// How a PIN is written in VERIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PinFormName {
    /// The digits alone.
    Digits,
    /// Eight bytes, filled up with FF.
    Padded,
}

impl From<PinFormName> for PinForm {
    fn from(name: PinFormName) -> Self {
        match name {
            PinFormName::Digits => Self::Digits,
            PinFormName::Padded => Self::Padded,
        }
    }
}

/// Which characters a PIN may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PinCharactersName {
    /// Digits alone.
    Digits,
    /// Printable ASCII characters.
    Printable,
}

/// Only what is said of PIV cards can be chosen.
impl From<PinCharactersName> for PinCharacters {
    fn from(name: PinCharactersName) -> Self {
        match name {
            PinCharactersName::Digits => Self::PivDigits,
            PinCharactersName::Printable => Self::Printable,
        }
    }
}

/// One `[[card_source]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardSourceTable {
    pub(super) kind: Spanned<CardSourceKind>,
    pub(super) seid: Spanned<Seid>,
    pub(super) socket: Option<PathBuf>,
    pub(super) address: Option<Spanned<SocketAddr>>,
    pub(super) reader: Option<Spanned<CString>>,
    pub(super) host: Option<Spanned<Text<GridAddress>>>,
    pub(super) remote_seid: Option<Spanned<String>>,
    pub(super) certificate: Option<Spanned<PathBuf>>,
    pub(super) key: Option<Spanned<PathBuf>>,
    pub(super) ca: Option<Spanned<PathBuf>>,
    pub(super) pin: Option<Spanned<Text<Sha256Hex>>>,
    pub(super) server_name: Option<Spanned<String>>,
    pub(super) rules: Option<Spanned<GridRules>>,
    pub(super) batches: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) trusted_with_keys: bool,
}

/// What a grid's server has room and patience for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum GridRules {
    /// As the servers of the protocol's author.
    Published,
    /// As the server of this program.
    Tessera,
}

/// Kinds of card sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CardSourceKind {
    /// Virtual cards that connect.
    Vicc,
    /// A reader.
    Pcsc,
    /// An element of another host's grid.
    Racs,
}

/// One `[[card]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardTable {
    pub(super) seid: Spanned<Seid>,
    pub(super) profile: Option<Spanned<String>>,
    pub(super) pin_file: Option<Spanned<PathBuf>>,
    pub(super) chain_file: Option<Spanned<PathBuf>>,
    pub(super) raw_key_use: Option<Spanned<bool>>,
}

/// One `[[domain]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DomainTable {
    pub(super) domid: Spanned<DomId>,
    pub(super) uuid: DomainUuid,
    pub(super) name: Spanned<String>,
}

/// One `[[channel]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelTable {
    pub(super) kind: Spanned<ChannelKind>,
    pub(super) path: Spanned<PathBuf>,
    pub(super) domid: Spanned<DomId>,
    #[serde(default)]
    pub(super) insecure_development: bool,
}

/// Kinds of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ChannelKind {
    /// A Unix socket for one domain.
    Unix,
}

/// One `[[binding]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BindingTable {
    pub(super) vm: Spanned<String>,
    pub(super) card: Spanned<Seid>,
    pub(super) identity: Option<IdentityName>,
    pub(super) trust: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) pins: BTreeMap<String, Text<Sha256Hex>>,
    #[serde(default)]
    pub(super) server_names: Vec<Text<NamePattern>>,
    pub(super) cert: Option<Spanned<PathBuf>>,
    pub(super) min_version: Option<Spanned<Text<ProtocolVersion>>>,
    #[serde(default)]
    pub(super) legacy: bool,
    pub(super) resume: Option<bool>,
    #[serde(default)]
    pub(super) shared: bool,
    pub(super) raw_apdu: Option<Spanned<PathBuf>>,
}

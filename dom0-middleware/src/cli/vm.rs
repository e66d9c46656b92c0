//! `vm`: who may use which card.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::id::{IdentityName, Seid};

use super::ReportArgs;
use crate::admin::{DEFAULT_DAYS, MAX_DAYS};

/// What to do with bindings.
#[derive(Debug, Subcommand)]
pub(crate) enum VmCommand {
    /// List all bindings, or the domains that wait for a token
    List(VmListArgs),
    /// Show everything about one domain: its bindings and its token
    Show(VmArgs),
    /// Let a domain use identities of a card, over restarts too
    ///
    /// Files are read now: what they hold later changes nothing. A card that is bound to another
    /// domain is refused unless both say --shared; an identity belongs to one domain, always.
    Bind(BindArgs),
    /// Issue a token for the key that a running domain offers
    ///
    /// For a domain in which `domu-agent enroll` has put its key into xenstore. Only the key with the
    /// fingerprint that is said is approved: compare it with what enroll printed there. The token
    /// goes into the folder of the service, and from there to the domain.
    Approve(ApproveArgs),
    /// Take away all bindings of a domain that were made with `vm bind`
    ///
    /// Its sessions end at once. Bindings of the configuration are changed there.
    Unbind(VmArgs),
}

/// Arguments of the commands about one domain.
#[derive(Debug, Args)]
pub(crate) struct VmArgs {
    /// The domain: its UUID, or the name of one that is running
    #[arg(value_name = "VM")]
    pub(crate) vm: String,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `vm list`.
#[derive(Debug, Args)]
pub(crate) struct VmListArgs {
    /// The running domains that offer a key in xenstore and have no token for it instead
    #[arg(long)]
    pub(crate) pending: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `vm approve`.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pub(crate) vm: VmArgs,
    /// The fingerprint of the key, as `domu-agent enroll` printed it in the guest
    #[arg(long, value_name = "SHA256:…", value_parser = fingerprint)]
    pub(crate) fingerprint: String,
    /// Days that the token is good
    #[arg(long, value_name = "N", default_value_t = DEFAULT_DAYS,
          value_parser = clap::value_parser!(u64).range(1..=MAX_DAYS))]
    pub(crate) days: u64,
}

/// The form of a fingerprint; the service compares it.
fn fingerprint(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix("SHA256:").unwrap_or_default();
    let is_good = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_good
        .then(|| text.to_owned())
        .ok_or("not SHA256: and 64 hexadecimal digits, as domu-agent enroll prints it")
}

/// Arguments of `vm bind`.
#[derive(Debug, Args)]
pub(crate) struct BindArgs {
    #[command(flatten)]
    pub(crate) vm: VmArgs,
    /// The card; several are a pool, of which each handshake gets the one that is done first
    #[arg(long = "card", value_name = "SEID", required = true)]
    pub(crate) cards: Vec<Seid>,
    /// An identity on the card; default: the only one it holds
    #[arg(long = "identity", value_name = "NAME")]
    pub(crate) identities: Vec<IdentityName>,
    /// File with the CA certificates (PEM) that servers must chain to
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: PathBuf,
    /// A server that may be connected to, `*.` standing for one label; default: all that the CA
    /// vouches for
    #[arg(long = "server-name", value_name = "PATTERN")]
    pub(crate) server_names: Vec<String>,
    /// File with the identity's certificate (PEM), for a card that does not let it be read
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// The lowest TLS version, 1.2 or 1.3; default: 1.2
    #[arg(long, value_name = "V")]
    pub(crate) min_version: Option<String>,
    /// TLS sessions may not be resumed
    #[arg(long)]
    pub(crate) no_resume: bool,
    /// Other domains may use other identities of the same card; each of its bindings must say so
    #[arg(long)]
    pub(crate) shared: bool,
    /// File with the raw APDUs (rows MASK VALUE) that the domain may send to the card over RACS;
    /// default: none. Not for a shared card
    #[arg(long, value_name = "FILE", conflicts_with = "shared")]
    pub(crate) raw_apdu: Option<PathBuf>,
}

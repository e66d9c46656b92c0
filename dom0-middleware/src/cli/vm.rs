//! `vm`: who may use which card.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::id::{IdentityName, Seid};

use super::ReportArgs;

/// What to do with bindings.
#[derive(Debug, Subcommand)]
pub(crate) enum VmCommand {
    /// List all bindings
    List(ReportArgs),
    /// Show everything about one domain: its bindings and its token
    Show(VmArgs),
    /// Let a domain use identities of a card, over restarts too
    ///
    /// Files are read now: what they hold later changes nothing. A card that is bound to another
    /// domain is refused unless both say --shared; an identity belongs to one domain, always.
    Bind(BindArgs),
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

/// Arguments of `vm bind`.
#[derive(Debug, Args)]
pub(crate) struct BindArgs {
    #[command(flatten)]
    pub(crate) vm: VmArgs,
    /// The card
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
}

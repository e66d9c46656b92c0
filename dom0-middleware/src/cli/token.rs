//! `token` and `state`: tokens that do not count any more, and the copy of what was changed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ReportArgs;
use crate::time::UnixTime;

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// List the last token of each domain, and tokens that were revoked
    List(ReportArgs),
    /// Revoke one token, or all older ones of a domain
    ///
    /// What rests on it ends at once. A token is never accepted again.
    Revoke(RevokeArgs),
}

/// Arguments of `token revoke`.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The number of the token: 32 hexadecimal digits
    #[arg(
        value_name = "CTI",
        required_unless_present = "vm",
        conflicts_with = "vm"
    )]
    pub(crate) cti: Option<String>,
    /// All tokens of this domain instead: its UUID, or the name of one that is running
    #[arg(long, value_name = "VM")]
    pub(crate) vm: Option<String>,
    /// Only those issued before this time, as 2026-11-21T04:07:09Z; default: now
    #[arg(long, value_name = "TIME", requires = "vm")]
    pub(crate) before: Option<UnixTime>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// What to do with the durable state.
#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Copy the state to a new file while the service runs
    ///
    /// The copy holds all that was changed until now. It is made with mode 0600 and never overwrites
    /// anything.
    Backup(BackupArgs),
}

/// Arguments of `state backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The new file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

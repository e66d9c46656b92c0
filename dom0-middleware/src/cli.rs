//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::DEFAULT_ADMIN_SOCKET;

/// TLS handshakes on smart cards, for the domains of this host.
#[derive(Debug, Parser)]
#[command(name = "dom0-middleware", version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service
    Serve(ServeArgs),
    /// Check a configuration file
    ///
    /// Files that it names and that are not there yet are listed and do no harm here; `serve`
    /// needs them.
    CheckConfig(CheckConfigArgs),
    /// Ask the running service about cards
    #[command(subcommand)]
    Card(CardCommand),
    /// Show how the running service is doing
    Status(ReportArgs),
}

/// What to ask about cards.
#[derive(Debug, Subcommand)]
pub(crate) enum CardCommand {
    /// List all cards and what they hold
    List(ReportArgs),
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Arguments of `check-config`.
#[derive(Debug, Args)]
pub(crate) struct CheckConfigArgs {
    /// The configuration file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Arguments of the commands that print a report.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The service's socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_ADMIN_SOCKET)]
    pub(crate) admin: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}

//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use proto::tls::ProtocolVersion;

use crate::app::{Destination, ServerName};
use crate::channel_key::KeyAlgorithm;
use crate::config::DEFAULT_SOCKET;

/// TLS connections whose keys are made by a smart card in dom0.
#[derive(Debug, Parser)]
#[command(name = "domu-agent", version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the agent
    Serve(ServeArgs),
    /// Connect to a TLS server; data goes from standard input and to standard output
    Connect(ConnectArgs),
    /// Send APDUs to this guest's own card: RACS from standard input, answers to standard output
    ///
    /// Needs a binding with --raw-apdu in dom0. Opens a channel of its own beside that of the agent, which
    /// need not run. Ends once all is answered after the end of its input.
    Racs(RacsArgs),
    /// Make the key of this guest's channel to dom0, and print its public part
    Enroll(EnrollArgs),
    /// List the identities that this guest may use
    Identities(ReportArgs),
    /// Show how the agent is doing
    Status(ReportArgs),
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Arguments of `racs`.
#[derive(Debug, Args)]
pub(crate) struct RacsArgs {
    /// The configuration file of the agent
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/domu-agent/domu-agent.toml"
    )]
    pub config: PathBuf,
    /// Make this Unix socket, for its owner alone, and serve programs there instead: two at a
    /// time, over a vchan one
    #[arg(long, value_name = "PATH")]
    pub listen: Option<PathBuf>,
}

/// Arguments of `enroll`.
#[derive(Debug, Args)]
pub(crate) struct EnrollArgs {
    /// The folder for the key, channel.key.pem; a key that is there stays
    #[arg(long, value_name = "DIR", default_value = "/etc/domu-agent")]
    pub out: PathBuf,
    /// The kind of a new key: ed25519 or p256 [default: ed25519]
    #[arg(long, value_name = "ALG")]
    pub alg: Option<KeyAlgorithm>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `connect`.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The server
    #[arg(value_name = "HOST:PORT")]
    pub destination: Destination,
    /// The name that the server's certificate must carry [default: HOST]
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<ServerName>,
    /// The identity to use [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub identity: Option<String>,
    /// A protocol for ALPN, the most wanted first; may be given several times
    #[arg(long, value_name = "PROTOCOL")]
    pub alpn: Vec<String>,
    /// The lowest TLS version: 1.2 or 1.3
    #[arg(long, value_name = "VERSION")]
    pub min_version: Option<ProtocolVersion>,
    /// The highest TLS version: 1.2 or 1.3
    #[arg(long, value_name = "VERSION")]
    pub max_version: Option<ProtocolVersion>,
    /// Do not resume an earlier session
    #[arg(long)]
    pub no_resume: bool,
    /// Time in milliseconds for the connection to stand [default: the agent's]
    #[arg(long, value_name = "MS")]
    pub timeout_ms: Option<u64>,
    /// The agent's socket
    #[arg(long, value_name = "SOCKET", default_value = DEFAULT_SOCKET)]
    pub agent: PathBuf,
}

/// Arguments of the commands that print a report.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The agent's socket
    #[arg(long, value_name = "SOCKET", default_value = DEFAULT_SOCKET)]
    pub agent: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn connect_takes_everything_that_a_request_can_say() {
        let line = "domu-agent connect a.example:443 --server-name b.example --identity web01 \
                    --alpn h2 --alpn http/1.1 --min-version 1.2 --max-version 1.3 --no-resume \
                    --agent /tmp/a.sock";
        let cli = Cli::try_parse_from(line.split_whitespace()).expect("a good line");
        let Command::Connect(args) = cli.command else {
            panic!("another command");
        };
        assert_eq!(args.destination.to_string(), "a.example:443");
        assert_eq!(args.alpn, ["h2", "http/1.1"]);
        assert_eq!(args.max_version, Some(ProtocolVersion::TLS1_3));
        assert!(args.no_resume);
    }

    #[test]
    fn bad_words_are_usage_errors() {
        for line in [
            "domu-agent connect a.example",
            "domu-agent connect a.example:443 --min-version 9",
            "domu-agent connect a.example:443 --server-name a..b",
            "domu-agent serve",
            "domu-agent enroll --alg rsa",
        ] {
            assert!(
                Cli::try_parse_from(line.split_whitespace()).is_err(),
                "{line}"
            );
        }
    }
}

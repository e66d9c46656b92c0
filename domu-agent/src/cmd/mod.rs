//! One file per command.

mod connect;
mod identities;
mod serve;
mod status;

use crate::cli::{Cli, Command};
use crate::error::AgentError;

/// Runs the command of the command line.
pub(crate) fn run(cli: Cli) -> Result<(), AgentError> {
    let out = &mut std::io::stdout();
    match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Connect(args) => connect::run(args),
        Command::Identities(args) => identities::run(&args, out),
        Command::Status(args) => status::run(&args, out),
    }
}

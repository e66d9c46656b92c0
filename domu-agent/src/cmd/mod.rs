//! One file per command.

mod connect;
mod enroll;
mod enrolment_node;
mod identities;
mod racs;
mod serve;
mod status;

pub(crate) use self::enroll::EnrollError;
use crate::cli::{Cli, Command};
use crate::error::AgentError;

/// Runs the command of the command line.
pub(crate) fn run(cli: Cli) -> Result<(), AgentError> {
    let out = &mut std::io::stdout();
    match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Racs(args) => racs::run(&args),
        Command::Enroll(args) => enroll::run(&args, out),
        Command::Connect(args) => connect::run(args),
        Command::Identities(args) => identities::run(&args, out),
        Command::Status(args) => status::run(&args, out),
    }
}

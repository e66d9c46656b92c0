//! One file per command.

mod audit_tail;
mod audit_verify;
mod card_list;
mod card_open;
mod card_show;
mod card_watch;
mod check_config;
mod doctor;
mod queue_show;
mod serve;
mod session_kill;
mod session_list;
mod status;
mod table;

use crate::cli::{AuditCommand, CardCommand, Cli, Command, QueueCommand, SessionCommand};
use crate::error::MiddlewareError;

/// Runs the command of the command line.
pub(crate) fn run(cli: Cli) -> Result<(), MiddlewareError> {
    let out = &mut std::io::stdout();
    match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::CheckConfig(args) => check_config::run(&args, out),
        Command::Card(CardCommand::List(args)) => card_list::run(&args, out),
        Command::Card(CardCommand::Show(args)) => card_show::run(&args, out),
        Command::Card(CardCommand::Watch(args)) => card_watch::run(&args, out),
        Command::Card(CardCommand::Adopt(args)) => card_open::adopt(args, out),
        Command::Card(CardCommand::Pin(args)) => card_open::pin(args, out),
        Command::Audit(AuditCommand::Tail(args)) => audit_tail::run(&args, out),
        Command::Audit(AuditCommand::Verify(args)) => audit_verify::run(&args, out),
        Command::Session(SessionCommand::List(args)) => session_list::run(&args, out),
        Command::Session(SessionCommand::Kill(args)) => session_kill::run(&args, out),
        Command::Queue(QueueCommand::Show(args)) => queue_show::run(&args, out),
        Command::Status(args) => status::run(&args, out),
        Command::Doctor(args) => doctor::run(&args, out),
    }
}

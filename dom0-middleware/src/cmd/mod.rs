//! One file per command.

mod audit_tail;
mod audit_verify;
mod card_list;
mod card_open;
mod card_show;
mod card_watch;
mod check_config;
mod doctor;
mod grid_apdu;
mod grid_list;
#[cfg(test)]
mod grid_tests;
mod queue_show;
mod serve;
mod session_kill;
mod session_list;
mod state_backup;
mod status;
mod table;
mod token_list;
mod token_revoke;
mod vm_approve;
mod vm_bind;
mod vm_list;
mod vm_pending;
mod vm_show;
mod vm_unbind;

use crate::cli::{
    AuditCommand, CardCommand, Cli, Command, GridCommand, QueueCommand, SessionCommand,
    StateCommand, TokenCommand, VmCommand,
};
use crate::error::MiddlewareError;

/// Doors for fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    /// A line of the audit as `audit tail` shows it.
    pub(crate) fn shown_record(line: &[u8]) -> String {
        super::audit_tail::shown(line)
    }
}

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
        Command::Card(CardCommand::Maintenance(args)) => card_open::maintain(args, out),
        Command::Card(CardCommand::Pin(args)) => card_open::pin(args, out),
        Command::Audit(AuditCommand::Tail(args)) => audit_tail::run(&args, out),
        Command::Audit(AuditCommand::Verify(args)) => audit_verify::run(&args, out),
        Command::Session(SessionCommand::List(args)) => session_list::run(&args, out),
        Command::Session(SessionCommand::Kill(args)) => session_kill::run(&args, out),
        Command::Queue(QueueCommand::Show(args)) => queue_show::run(&args, out),
        Command::Vm(VmCommand::List(args)) => vm_list::run(&args, out),
        Command::Vm(VmCommand::Approve(args)) => vm_approve::run(args, out),
        Command::Vm(VmCommand::Show(args)) => vm_show::run(args, out),
        Command::Vm(VmCommand::Bind(args)) => vm_bind::run(args, out),
        Command::Vm(VmCommand::Unbind(args)) => vm_unbind::run(args, out),
        Command::Token(TokenCommand::List(args)) => token_list::run(&args, out),
        Command::Token(TokenCommand::Revoke(args)) => token_revoke::run(args, out),
        Command::Grid(GridCommand::List(args)) => grid_list::run(&args, out),
        Command::Grid(GridCommand::Apdu(args)) => grid_apdu::run(&args, out),
        Command::State(StateCommand::Backup(args)) => state_backup::run(&args, out),
        Command::Status(args) => status::run(&args, out),
        Command::Doctor(args) => doctor::run(&args, out),
    }
}

//! Logs, on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::Command;

/// Starts logging: what `RUST_LOG` says, else `info` for the agent itself and warnings for the
/// other commands.
pub(crate) fn init(command: &Command) {
    let level = match command {
        Command::Serve(_) => LevelFilter::INFO,
        Command::Racs(args) if args.listen.is_some() => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    };
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        // A log that cannot be written is no reason to stop; to complain of it would panic.
        .log_internal_errors(false)
        .init();
}

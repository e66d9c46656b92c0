//! `soft-card`: an EAP-TLS smart card in software, for tests and demonstrations.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let level = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(level.from_env_lossy())
        .init();
    match soft_card::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("soft-card: {failure}");
            failure.exit().into()
        }
    }
}

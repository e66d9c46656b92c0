//! The guest end: carries the handshake to dom0 and runs the TLS record layer.
//!
//! # Primer
//!
//! An application asks for a TLS connection over a Unix socket. The agent makes the TCP
//! connection, asks dom0 for a handshake, and carries the handshake's bytes between dom0 and the
//! server. When it is complete dom0 hands over the keys, and from then on the agent alone seals
//! and opens records: the application's socket carries plaintext.
//!
//! ```text
//! application ── app ──┬── handshake ── dom0 ──── channel to dom0
//!                      │        │
//!                      └── stream ──────┴──────── TCP connection to the server
//! ```
//!
//! # Map
//!
//! | Module | Holds |
//! |---|---|
//! | [`client`] | the library for programs: asks a running agent |
//! | `app` | the socket for applications |
//! | `handshake` | one handshake between dom0 and the server, without sockets |
//! | `stream` | one TLS connection that stands: the core without sockets, and the pump |
//! | `dom0` | the connection to dom0: the core without socket, and the task |
//! | `channel_key` | the key that authenticates the channel: read, and made once |
//! | `fd_passing` | a descriptor along with bytes |
//! | `descriptors` | enough of them for all connections |
//! | `kernel_tls` | records that the kernel seals and opens |
//! | `presence` | whether an application is still there |
//! | `config`, `cli`, `cmd`, `logging`, `error`, `exit_code` | the program |

mod app;
mod channel_key;
mod cli;
pub mod client;
mod cmd;
mod config;
mod descriptors;
mod dom0;
mod error;
mod exit_code;
mod fd_passing;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handshake;
mod kernel_tls;
mod logging;
mod presence;
mod stream;
#[cfg(test)]
mod testing;

use std::process::ExitCode as ProcessExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::app::Chain;
use crate::cli::Cli;
use crate::exit_code::ExitCode;

/// Runs the program with the arguments of the process.
pub fn main() -> ProcessExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return on_usage(&error).into(),
    };
    logging::init(&cli.command);
    match cmd::run(cli) {
        Ok(()) => ExitCode::Success.into(),
        Err(error) => {
            eprintln!("domu-agent: {}", Chain(&error));
            error.exit_code().into()
        }
    }
}

/// Help and version are results; anything else is a mistake in the command line.
fn on_usage(error: &clap::Error) -> ExitCode {
    let asked_for = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    match error.print() {
        Ok(()) if asked_for => ExitCode::Success,
        Ok(()) => ExitCode::Usage,
        Err(_) => ExitCode::Internal,
    }
}

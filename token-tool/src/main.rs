//! `token-tool`: makes, shows and checks VM-Auth-Tokens, and the HV key that signs them.
//!
//! A token says which VM a guest is, which certificates its cards hold and which key its channel
//! has; it is signed by the key of the host, the HV key. This program is for the administrator of
//! dom0. It keeps no state: a token is revoked with `dom0-middleware token revoke`.
//!
//! | Module | Holds |
//! |---|---|
//! | `cli` | the command line |
//! | `cmd` | one file for each command |
//! | `hv_key`, `passphrase` | the HV key in a file, and what it is encrypted with |
//! | `hv_card` | the HV key in a card |
//! | `input`, `file` | reading what the operator names, writing what is asked for |
//! | `xenstore` | the UUID of a VM by its name |
//! | `date`, `output`, `error`, `exit_code` | times, tables and JSON, failures |
//!
//! Exit codes: 0 done; 1 the token is not valid or cannot be read; 64 usage; 69 a program, a
//! terminal or a VM is missing; 70 our fault; 77 refused; 78 a file cannot be used.
#![forbid(unsafe_code)]

mod cli;
mod cmd;
mod date;
mod error;
mod exit_code;
mod file;
mod hv_card;
mod hv_key;
mod input;
mod output;
mod passphrase;
mod xenstore;

use std::io::{self, Write as _};
use std::process::ExitCode as ProcessExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::exit_code::ExitCode;

fn main() -> ProcessExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return on_usage(&error).into(),
    };
    let mut out = io::stdout().lock();
    let done = cli.command.run(&mut out);
    let done = done.and_then(|()| Ok(out.flush()?));
    match done {
        Ok(()) => ExitCode::Success.into(),
        Err(error) => {
            if error.is_unsaid() {
                eprintln!("token-tool: {error}");
            }
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

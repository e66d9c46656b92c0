//! The dom0 service that runs TLS handshakes on smart cards on behalf of Xen domains.
//!
//! # Primer
//!
//! A guest asks, over a channel that proves which domain it is, for a TLS handshake with a server.
//! The service judges whether that domain may use a card now, lets the handshakes of all guests
//! wait in turn, checks the server's certificate, and has the card make the handshake. The guest
//! carries the bytes between here and the server, and gets the keys of that one connection when
//! everything was as it must be. The card's private key never leaves the card.
//!
//! ```text
//! guest ── channel ── service ── broker ── card worker ── reader ── card
//!                        │          └── mapping: who may use what
//!                        ├── admin ── operator
//!                        └── audit
//! ```
//!
//! # Map
//!
//! | Module | Holds |
//! |---|---|
//! | [`broker`] | the deciding core: no socket, no thread, no clock |
//! | [`mapping`] | who has which card, and whether they may use it now |
//! | [`card`] | cards: reached, driven through a handshake, kept apart |
//! | [`engine`] | the TLS engine for cards that only sign |
//! | [`audit`] | the record of what happened, each line chained to the one before |
//! | [`channel`] | connections of guests |
//! | [`xen`] | who the guests are: domids, UUIDs and names, as xenstore has them |
//! | [`admin`] | the operator's socket |
//! | [`config`] | the configuration file |
//! | [`state`] | what must survive the process |
//! | `tokens` | tokens in their folder, for the domains that xenstore knows |
//! | [`service`] | sockets, threads and clocks around the broker |
//! | [`racs`] | grids of secure elements: cards for users over the network, and other hosts' cards |
//! | [`socket`], [`time`] | private sockets; time as the deciding parts see it |
//! | `doctor` | what is wrong with an installation |
//! | `cli`, `cmd`, `logging`, `error`, `exit_code` | the program |

pub mod admin;
pub mod audit;
pub mod broker;
pub mod card;
pub mod channel;
pub mod channel_key;
mod cli;
mod cmd;
pub mod config;
mod doctor;
pub mod engine;
mod error;
mod exit_code;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hex;
mod limits;
mod logging;
pub mod mapping;
pub mod racs;
pub mod service;
pub mod socket;
pub mod state;
pub mod time;
mod tokens;
pub mod xen;

use std::process::ExitCode as ProcessExitCode;

use clap::Parser;
use clap::error::ErrorKind;

pub use exit_code::ExitCode;
pub use limits::Limits;

use crate::cli::Cli;
use crate::error::Causes;

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
            eprintln!("dom0-middleware: {}", Causes(&error));
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

//! `grid`: elements of another host's RACS server.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use proto::racs::SeidToken;

use crate::racs::client::{Grid, GridAddress, GridFiles, ServerRules, ServerTrust};

/// What to do with a grid.
#[derive(Debug, Subcommand)]
pub(crate) enum GridCommand {
    /// List the elements that we may use
    List(GridListArgs),
    /// Send APDUs to one element, and print what it answers
    ///
    /// The element is powered on first and let go at the end; while another session holds it, it is not
    /// to be had. Of the commands nothing but CLA INS P1 P2 is ever printed. Exit code 1 when a status was
    /// not the one that had to be, 69 when the grid cannot be reached, 77 when it refuses, 78 for a
    /// script that is none.
    Apdu(GridApduArgs),
}

/// Which grid, and who we are there.
#[derive(Debug, Args)]
pub(crate) struct GridArgs {
    /// The grid: HOST, HOST:PORT or `[IPV6]:PORT`; port 7777 unless said
    #[arg(value_name = "HOST")]
    pub(crate) host: GridAddress,
    /// Our certificate, PEM: the grid's users are the common names of these
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,
    /// Its key, PEM, for its owner alone (chmod 600)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The CA of the grid's server, PEM
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "pin",
        conflicts_with = "pin"
    )]
    pub(crate) ca: Option<PathBuf>,
    /// The SHA-256 of the server's certificate instead, 64 hexadecimal digits
    #[arg(long, value_name = "SHA256")]
    pub(crate) pin: Option<Sha256Pin>,
    /// The name in the server's certificate; default: the host
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl GridArgs {
    /// The grid, for requests of `batch` APDUs at most.
    pub(crate) fn grid(&self, batch: usize) -> Grid {
        let trust = match (&self.ca, &self.pin) {
            (_, Some(pin)) => ServerTrust::Pin(pin.0),
            // clap wants one of them.
            (ca, None) => ServerTrust::Ca(ca.clone().unwrap_or_default()),
        };
        let name = self.server_name.clone();
        Grid {
            address: self.host.clone(),
            server_name: name.unwrap_or_else(|| self.host.host().to_owned()),
            files: GridFiles {
                certificate: self.cert.clone(),
                key: self.key.clone(),
                trust,
            },
            rules: ServerRules {
                full_answers: batch,
                ..ServerRules::PUBLISHED
            },
        }
    }
}

/// Arguments of `grid list`.
#[derive(Debug, Args)]
pub(crate) struct GridListArgs {
    #[command(flatten)]
    pub(crate) grid: GridArgs,
}

/// Arguments of `grid apdu`.
#[derive(Debug, Args)]
pub(crate) struct GridApduArgs {
    #[command(flatten)]
    pub(crate) grid: GridArgs,
    /// The element, as grid list names it
    #[arg(value_name = "SEID")]
    pub(crate) seid: SeidText,
    /// APDUs as hexadecimal digits, `=9000` behind one that must be answered so; @FILE for a script
    /// with one on each line and # before comments; - for a script on standard input. What holds a PIN
    /// belongs into a script: other users see the arguments of a process
    #[arg(value_name = "APDU", required = true)]
    pub(crate) apdus: Vec<String>,
    /// APDUs in one request, which saves round trips; servers of the protocol's author have room for 13
    #[arg(long, value_name = "N", default_value_t = 13, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) batch: u8,
    /// Go on after a status that is not the one that had to be
    #[arg(long = "continue")]
    pub(crate) go_on: bool,
    /// How long one APDU may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) timeout: u16,
    /// Say how far it is even if standard error is no terminal
    #[arg(long)]
    pub(crate) progress: bool,
}

/// The name of an element on the command line.
#[derive(Debug, Clone)]
pub(crate) struct SeidText(pub(crate) SeidToken);

impl FromStr for SeidText {
    type Err = proto::racs::TokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        SeidToken::try_from(text.as_bytes()).map(Self)
    }
}

/// A SHA-256 on the command line, colons between the pairs allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sha256Pin(pub(crate) [u8; 32]);

impl FromStr for Sha256Pin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.replace(':', "").to_ascii_lowercase();
        let bytes = proto::hex::decode(&digits);
        bytes
            .map(Self)
            .ok_or("not the 64 hexadecimal digits of a SHA-256")
    }
}

//! The command line.

mod grid;
mod token;
mod vm;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use proto::id::Seid;

pub(crate) use self::grid::{GridApduArgs, GridCommand, GridListArgs};
pub(crate) use self::token::{BackupArgs, RevokeArgs, StateCommand, TokenCommand};
pub(crate) use self::vm::{ApproveArgs, BindArgs, VmArgs, VmCommand, VmListArgs};
use crate::broker::SessionName;
use crate::config::DEFAULT_ADMIN_SOCKET;

/// TLS handshakes on smart cards, for the domains of this host.
#[derive(Debug, Parser)]
#[command(name = "dom0-middleware", version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service
    Serve(ServeArgs),
    /// Check a configuration file
    ///
    /// Files that it names and that are not there yet are listed and do no harm here; `serve`
    /// needs them.
    CheckConfig(CheckConfigArgs),
    /// Ask the running service about cards
    #[command(subcommand)]
    Card(CardCommand),
    /// Ask the running service about sessions
    #[command(subcommand)]
    Session(SessionCommand),
    /// Read and check the audit, with or without the service
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Ask the running service who waits for which card
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Say who may use which card
    #[command(subcommand)]
    Vm(VmCommand),
    /// Look at tokens and revoke them
    #[command(subcommand)]
    Token(TokenCommand),
    /// Use the elements of another host's grid, over RACS
    #[command(subcommand)]
    Grid(GridCommand),
    /// Copy what commands have changed
    #[command(subcommand)]
    State(StateCommand),
    /// Show how the running service is doing
    Status(ReportArgs),
    /// Find out what is wrong with this installation, and what to do about it
    ///
    /// Looks at the service, its configuration, pcscd and its readers, cards, channels and
    /// bindings. PIV cards that nobody uses are asked how many PIN tries they have left, which costs
    /// none. Exit code 1 when something does not work.
    Doctor(DoctorArgs),
}

/// What to ask about cards.
#[derive(Debug, Subcommand)]
pub(crate) enum CardCommand {
    /// List all cards and what they hold
    List(ReportArgs),
    /// Show everything about one card
    ///
    /// A PIV card that nobody uses is asked how many PIN tries it has left, which costs none of
    /// them. A card in use is not asked: no handshake is disturbed.
    Show(CardArgs),
    /// Print each card, and again whenever one comes, goes or changes
    Watch(ReportArgs),
    /// Make the card that is there now the one that belongs there
    ///
    /// Its PIN is tried at once, unless it is one that was not accepted before. From then on no
    /// other card gets a PIN there.
    Adopt(AdoptArgs),
    /// Try the PIN in a file, even if it was tried before and not accepted
    ///
    /// For a card that refused its PIN, after the operator has looked why.
    Pin(PinArgs),
    /// Take a card from its guests for a while, or give it back to them
    ///
    /// In maintenance a card that is bound can be had by users of the RACS server. Guests that ask
    /// for it are told to come back later; a handshake that has begun ends first. With `off` whoever
    /// holds the card loses it, and it is reset before a guest has it. Lasts over a restart.
    Maintenance(MaintenanceArgs),
}

/// What to ask about sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// List all sessions in progress or established
    ///
    /// An established session is listed until its guest says that it ended or its connection ends.
    List(ReportArgs),
    /// End one session
    ///
    /// One in progress leaves its card. Of an established one the guest's agent is told, which
    /// shuts the connection; keys that a hostile guest has kept cannot be recalled.
    Kill(KillArgs),
}

/// What to do with the audit.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the last records, for people or, with --json, as they stand in the file
    Tail(TailArgs),
    /// Check that nothing in the audit was changed, moved or cut
    ///
    /// Works without the service, and while it runs. Old files (FILE.1, FILE.2, …) are checked with
    /// it. Exit code 1, with file and line, when something is wrong.
    Verify(VerifyArgs),
}

/// Arguments of `audit tail`.
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// How many records
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 10)]
    pub(crate) lines: usize,
    /// Go on with records as they are written
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// The audit file; default: the one that the running service says it has
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The audit file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The service's state: it knows how far the audit was, so that a cut is seen too
    #[arg(long, value_name = "DB")]
    pub(crate) state: Option<PathBuf>,
    /// A certificate of this host's HV, PEM: only checkpoints signed by a key that it certifies
    /// count; can be given several times
    #[arg(long = "hv-cert", value_name = "FILE")]
    pub(crate) hv_certs: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to ask about queues.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Show who has each card, who waits for it, and what domains owe
    Show(ReportArgs),
}

/// Arguments of `session kill`.
#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The session, as `session list` names it
    #[arg(value_name = "ID")]
    pub(crate) session: SessionName,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Arguments of `check-config`.
#[derive(Debug, Args)]
pub(crate) struct CheckConfigArgs {
    /// The configuration file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Arguments of the commands that print a report.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The service's socket
    #[arg(long, value_name = "PATH", default_value = DEFAULT_ADMIN_SOCKET)]
    pub(crate) admin: PathBuf,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The configuration file; default: the one that the running service says it has
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of the commands about one card.
#[derive(Debug, Args)]
pub(crate) struct CardArgs {
    /// The card
    #[arg(value_name = "SEID")]
    pub(crate) seid: Seid,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `card adopt`.
#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    pub(crate) card: CardArgs,
    /// The file with the card's PIN: 4 to 8 digits, of a PIV card 6 to 8 unless its profile says
    /// otherwise, mode 0600; where the configuration names one, it need not be said
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
}

/// Arguments of `card maintenance`.
#[derive(Debug, Args)]
pub(crate) struct MaintenanceArgs {
    /// The card
    #[arg(value_name = "SEID")]
    pub(crate) seid: Seid,
    /// Whether it is in maintenance from now on
    #[arg(value_name = "on|off", hide_possible_values = true)]
    pub(crate) set: Switch,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Something begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// It begins.
    On,
    /// It ends.
    Off,
}

/// Arguments of `card pin`.
#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    #[command(flatten)]
    pub(crate) card: CardArgs,
    /// The file with the card's PIN: 4 to 8 digits, of a PIV card 6 to 8 unless its profile says
    /// otherwise, mode 0600
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}

//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use proto::apdu::Protocol;
use proto::card::PinCharacters;
use proto::id::IdentityName;
use proto::piv::Slot;
use proto::tls::ProtocolVersion;

use crate::cmd;
use crate::exit_code::Exit;
use crate::fault::Fault;
use crate::profile::Profile;
use crate::settings::CardSettings;
use crate::store::StoreError;
use crate::timing::Timing;

/// A smart card in software: an EAP-TLS card or a PIV card that connects as a virtual card.
///
/// For tests and demonstrations: its keys lie in files. The card is a directory, made by
/// `personalise` and put into a reader by `serve`.
#[derive(Debug, Parser)]
#[command(name = "soft-card", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put an identity on a card, which is made if it is not there.
    ///
    /// The first identity brings the user PIN; later ones must come with the same. An EAP-TLS card
    /// takes --name and --ca, a PIV card --slot.
    Personalise(PersonaliseArgs),
    /// Put the card into a virtual reader and answer it.
    ///
    /// Prints the timing model, then `card ready` each time the reader took the card.
    Serve(ServeArgs),
}

/// Arguments of `personalise`.
#[derive(Debug, Args)]
pub struct PersonaliseArgs {
    /// Directory that is the card.
    #[arg(long)]
    pub dir: PathBuf,
    /// What the card is: what --name or --slot says, without it.
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// Friendly name of the identity, by which a host sets it: 1 to 64 printable ASCII characters.
    #[arg(long, required_unless_present = "slot")]
    pub name: Option<IdentityName>,
    /// Slot of a PIV card for key and certificate: 9a, 9c, 9d, 9e, or 82 to 95.
    #[arg(long, conflicts_with_all = ["name", "ca", "operator_pin_file", "eap_id"])]
    pub slot: Option<Slot>,
    /// Private key, PEM: PKCS#8, PKCS#1 or SEC1; RSA-2048 or P-256 as real cards have. On a PIV
    /// card RSA-3072, RSA-4096 and P-384 as well.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Certificate of that key, PEM, with any intermediates to send behind it; on a PIV card
    /// without.
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// CA certificates that issue the servers this identity trusts, PEM.
    #[arg(long, value_name = "FILE", required_unless_present = "slot")]
    pub ca: Option<PathBuf>,
    /// File with the user PIN, 4 to 8 digits; of a PIV card 6 to 8. A PIV card whose PIN has other
    /// printable characters is one that takes any.
    #[arg(long, value_name = "FILE")]
    pub pin_file: PathBuf,
    /// File with the operator PIN, 4 to 8 digits; eight zeros without it.
    #[arg(long, value_name = "FILE")]
    pub operator_pin_file: Option<PathBuf>,
    /// File with the PUK of a PIV card, 6 to 8 digits; 12345678 without it.
    #[arg(long, value_name = "FILE", requires = "slot")]
    pub puk_file: Option<PathBuf>,
    /// Compress the certificate on a PIV card.
    #[arg(long, requires = "slot")]
    pub gzip: bool,
    /// Text of EAP-Response/Identity; the name without it.
    #[arg(long, value_name = "TEXT")]
    pub eap_id: Option<String>,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Reader to connect to: unix:PATH, a path with a slash, or HOST:PORT.
    #[arg(long, value_name = "ADDR")]
    pub connect: String,
    /// Directory that is the card.
    #[arg(long)]
    pub dir: PathBuf,
    /// What the card must be; without it, it is what it was personalised for.
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// How commands reach it.
    #[arg(long, value_enum, default_value_t = Transmission::T1)]
    pub protocol: Transmission,
    /// How long commands take: none, paper, or paper/N for N times as fast.
    #[arg(long, default_value = "none")]
    pub timing: Timing,
    /// Fault at the Nth command, or the next one that it can befall: KIND@N, KIND being mute,
    /// slow, garbage, truncated, reset, removed, wrong-sw, wrong-eap-id, wrong-eap-length,
    /// wrong-eap-type, nak, empty-9000, endless-9f, loop-61, short-key-block, other-suite,
    /// other-certificate, pin-forgotten or wrong-signature. May be given several times.
    #[arg(long = "fault", value_name = "KIND@N")]
    pub faults: Vec<Fault>,
    /// Largest EAP packet that the card sends, bytes.
    #[arg(long, value_name = "BYTES", default_value_t = CardSettings::default().max_eap_packet,
          value_parser = eap_packet_len)]
    pub eap_packet: usize,
    /// Highest TLS version offered when the host asks for none: 1.2 or 1.3.
    #[arg(long, value_name = "VERSION", default_value = "1.2", value_parser = tls_version)]
    pub max_version: ProtocolVersion,
    /// An EAP-TLS card that takes extended APDUs: whole EAP packets, and gives whole ones. PIV cards
    /// always do.
    #[arg(long)]
    pub extended_length: bool,
    /// A PIV card that says what its keys are (GET METADATA), which is not of the standard.
    #[arg(long)]
    pub metadata: bool,
    /// End when the reader goes away, instead of connecting again.
    #[arg(long)]
    pub once: bool,
}

/// Transmission protocols a card can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transmission {
    /// Characters: answers are fetched (61xx), lengths must be right (6Cxx).
    T0,
    /// Blocks.
    T1,
}

impl From<Transmission> for Protocol {
    fn from(transmission: Transmission) -> Self {
        match transmission {
            Transmission::T0 => Self::T0,
            Transmission::T1 => Self::T1,
        }
    }
}

/// Why the program ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line, or what clap prints for `--help` and `--version`.
    #[error("{0}")]
    Usage(#[from] clap::Error),
    /// A file named on the command line cannot be read.
    #[error("{}: {source}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A PIN file holds no PIN.
    #[error("{}: not a PIN of {characters}", path.display())]
    NoPin {
        /// The file.
        path: PathBuf,
        /// What it should be.
        characters: PinCharacters,
    },
    /// The card directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reader cannot be reached.
    #[error("reader {address}: {source}")]
    Reader {
        /// Where it was looked for.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The address names no reader.
    #[error("{0:?} is neither unix:PATH, a path with a slash, nor HOST:PORT")]
    Address(String),
}

impl Failure {
    /// The exit code that says so.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Address(_) => Exit::Usage,
            Self::Input { .. } | Self::NoPin { .. } => Exit::Configuration,
            Self::Store(StoreError::InUse { .. }) | Self::Reader { .. } => Exit::Missing,
            Self::Store(StoreError::NameTaken { .. } | StoreError::OtherPin) => Exit::NotSo,
            Self::Store(
                StoreError::Identity { .. }
                | StoreError::Damaged { .. }
                | StoreError::OtherProfile { .. },
            ) => Exit::Configuration,
            Self::Store(StoreError::File { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Exit::Configuration
            }
            Self::Store(StoreError::File { .. }) => Exit::Fault,
        }
    }
}

/// Does what the command line says.
///
/// # Errors
/// See [`Failure`]; a request for help is none.
pub fn run() -> Result<(), Failure> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) if !help.use_stderr() => {
            print!("{help}");
            return Ok(());
        }
        Err(err) => return Err(err.into()),
    };
    match cli.command {
        Command::Personalise(args) => cmd::personalise::run(&args),
        Command::Serve(args) => cmd::serve::run(&args, &mut std::io::stdout()),
    }
}

fn eap_packet_len(text: &str) -> Result<usize, String> {
    let range = CardSettings::MIN_EAP_PACKET..=CardSettings::MAX_EAP_PACKET;
    text.parse()
        .ok()
        .filter(|length| range.contains(length))
        .ok_or_else(|| format!("a number from {} to {}", range.start(), range.end()))
}

fn tls_version(text: &str) -> Result<ProtocolVersion, String> {
    text.parse()
        .ok()
        .filter(|version| [ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3].contains(version))
        .ok_or_else(|| "1.2 or 1.3".to_owned())
}

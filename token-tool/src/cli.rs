//! The command line.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hv_card::{CardKeyName, NameError};
use proto::card::PinCharacters;
use proto::id::DomainUuid;
use proto::token::SignatureAlgorithm;

use crate::cmd;
use crate::date::Time;
use crate::error::ToolError;

/// Makes, shows and checks VM-Auth-Tokens.
///
/// A token tells dom0 which VM a guest is. It is signed by the HV key, which belongs to this host.
#[derive(Debug, Parser)]
#[command(name = "token-tool", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an HV key and its certificate, or the certificate of a key in a card
    ///
    /// Writes DIR/hv.key.pem, which its owner alone can read, and DIR/hv.cert.pem. Never
    /// overwrites. With --hv-key the key is one that was made in a PIV card, which signs its own
    /// certificate: then DIR/hv.cert.pem alone is written.
    Keygen(KeygenArgs),
    /// Make a token for a VM
    Issue(IssueArgs),
    /// Show what a token says, without believing it
    ///
    /// Exit code 0 whenever it can be decoded, 1 if not, with what is wrong about it.
    Show(ShowArgs),
    /// Check a token: form, signature, dates, and the VM if one is given
    ///
    /// Exit code 0 if it is valid, 1 if not. Revocations are known to dom0-middleware alone.
    Verify(VerifyArgs),
}

impl Command {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<(), ToolError> {
        match self {
            Self::Keygen(args) => cmd::keygen::run(&args, out),
            Self::Issue(args) => cmd::issue::run(&args, out),
            Self::Show(args) => cmd::show::run(&args, out),
            Self::Verify(args) => cmd::verify::run(&args, out),
        }
    }
}

/// Arguments of `keygen`.
#[derive(Debug, Args)]
pub(crate) struct KeygenArgs {
    /// Name of this host, the subject of the certificate: 1 to 64 characters
    #[arg(long, value_name = "TEXT", value_parser = subject)]
    pub(crate) name: String,
    /// Directory for both files; made, for its owner alone, if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Kind of key
    #[arg(long, value_enum, default_value_t = KeyKind::Rsa3072)]
    pub(crate) alg: KeyKind,
    /// The key is in this slot of the PIV card in a reader, such as "pcsc:Alcor Micro AU9540 00 00#9c"
    #[arg(long, value_name = "pcsc:READER#SLOT", conflicts_with_all = ["alg", "passphrase_file"])]
    pub(crate) hv_key: Option<CardKeyName>,
    /// Public part of the key in the card, PEM or DER, as the tool has written it that made the key; not
    /// needed where the card says it, or the slot holds a certificate of the key
    #[arg(long, value_name = "FILE", requires = "hv_key")]
    pub(crate) public_key: Option<PathBuf>,
    /// File with the PIN of the card, its first line; asked for on the terminal otherwise
    #[arg(long, value_name = "FILE", requires = "hv_key")]
    pub(crate) pin_file: Option<PathBuf>,
    /// Which characters that PIN may have: 6 to 8 digits, or as many printable ones
    #[arg(long, value_enum, default_value_t = PinKind::Digits, requires = "hv_key")]
    pub(crate) pin_characters: PinKind,
    /// Days that the certificate is good
    #[arg(long, value_name = "N", default_value_t = 3650,
          value_parser = clap::value_parser!(u64).range(1..=36_500))]
    pub(crate) days: u64,
    /// Encrypt the key with the passphrase in this file, its first line
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Kinds of HV key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// RSA, 3,072 bits; signs PS256 and RS256
    Rsa3072,
    /// RSA, 4,096 bits; signs PS256 and RS256
    Rsa4096,
    /// ECDSA on P-256; signs ES256
    P256,
    /// Ed25519; signs EdDSA
    Ed25519,
}

/// Which characters a PIN may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PinKind {
    /// Digits, as the standard has it
    Digits,
    /// Printable ASCII characters, as many tokens take them
    Printable,
}

impl From<PinKind> for PinCharacters {
    fn from(kind: PinKind) -> Self {
        match kind {
            PinKind::Digits => Self::PivDigits,
            PinKind::Printable => Self::Printable,
        }
    }
}

/// Arguments of `issue`.
#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    /// The HV certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) hv_cert: PathBuf,
    /// The HV key: a file (PKCS#8, PEM, may be encrypted), or a slot of the PIV card in a reader, such as
    /// "pcsc:Alcor Micro AU9540 00 00#9c"
    #[arg(long, value_name = "FILE or pcsc:READER#SLOT", value_parser = hv_key_place)]
    pub(crate) hv_key: HvKeyPlace,
    /// File with the passphrase of the HV key, its first line; asked for on the terminal otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// File with the PIN of the card that has the HV key, its first line; asked for on the terminal
    /// otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
    /// Which characters the PIN of that card may have: 6 to 8 digits, or as many printable ones
    #[arg(long, value_enum, default_value_t = PinKind::Digits)]
    pub(crate) pin_characters: PinKind,
    /// The VM: its UUID, or the name that xenstore has for it while it runs
    #[arg(long, value_name = "VM")]
    pub(crate) vm: String,
    /// Certificate whose key is in a card of the VM, PEM or DER; 1 to 16 of them
    #[arg(long = "vm-cert", value_name = "FILE", required = true)]
    pub(crate) vm_certs: Vec<PathBuf>,
    /// Public key of the guest's agent, PEM, as `domu-agent enroll` prints it; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) agent_key: PathBuf,
    /// Days that the token is good
    #[arg(long, value_name = "N", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=400))]
    pub(crate) days: u64,
    /// Before that moment the token is not good yet, such as 2027-01-31T08:00:00Z
    #[arg(long, value_name = "RFC3339")]
    pub(crate) not_before: Option<Time>,
    /// A text for people in the token, such as the name of the site
    #[arg(long, value_name = "TEXT")]
    pub(crate) hv_domain: Option<String>,
    /// How an RSA key signs; others have one way only
    #[arg(long, value_enum)]
    pub(crate) alg: Option<RsaSignature>,
    /// Where the token goes, as text; replaced in one step, - is stdout. Into a folder that is there,
    /// such as that of dom0-middleware, it goes as UUID.token
    #[arg(
        long,
        value_name = "FILE or FOLDER",
        required_unless_present = "print_line"
    )]
    pub(crate) out: Option<PathBuf>,
    /// Print the line that puts the token into the guest, for a shell there
    #[arg(long)]
    pub(crate) print_line: bool,
    /// The agent's token file in the guest, for that line
    #[arg(long, value_name = "PATH", default_value = "/etc/domu-agent/token")]
    pub(crate) guest_file: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the HV key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HvKeyPlace {
    /// In a file.
    File(PathBuf),
    /// In a card.
    Card(CardKeyName),
}

/// How an RSA key signs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RsaSignature {
    /// RSASSA-PSS with SHA-256
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256
    Rs256,
}

impl From<RsaSignature> for SignatureAlgorithm {
    fn from(signature: RsaSignature) -> Self {
        match signature {
            RsaSignature::Ps256 => Self::Ps256,
            RsaSignature::Rs256 => Self::Rs256,
        }
    }
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The token, as text or as bytes; - is stdin
    #[arg(value_name = "FILE")]
    pub(crate) token: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The token, as text or as bytes; - is stdin
    #[arg(value_name = "FILE")]
    pub(crate) token: PathBuf,
    /// Certificate of an HV that may have signed it, PEM; any number
    #[arg(long = "hv-cert", value_name = "FILE", required = true)]
    pub(crate) hv_certs: Vec<PathBuf>,
    /// The VM that it must be for
    #[arg(long, value_name = "UUID")]
    pub(crate) vm: Option<DomainUuid>,
    /// The moment at which it must be good; now without it
    #[arg(long, value_name = "RFC3339")]
    pub(crate) at: Option<Time>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A file whose name begins as that of a key in a card is `./pcsc:…`.
fn hv_key_place(text: &str) -> Result<HvKeyPlace, NameError> {
    match text.starts_with(CardKeyName::PREFIX) {
        true => Ok(HvKeyPlace::Card(text.parse()?)),
        false => Ok(HvKeyPlace::File(text.into())),
    }
}

/// RFC 5280 has at most 64 characters for a common name.
fn subject(text: &str) -> Result<String, &'static str> {
    let is_good = (1..=64).contains(&text.chars().count()) && !text.contains(char::is_control);
    is_good
        .then(|| text.to_owned())
        .ok_or("1 to 64 characters, no control characters")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn an_hv_key_is_a_file_or_in_a_card() {
        let file = |name: &str| Ok(HvKeyPlace::File(name.into()));
        for name in ["hv.key.pem", "./pcsc:R#9c", "pcs"] {
            assert_eq!(hv_key_place(name), file(name));
        }
        let card = hv_key_place("pcsc:A B 00 00#9c").expect("a card");
        assert!(matches!(card, HvKeyPlace::Card(name) if name.to_string() == "pcsc:A B 00 00#9c"));
        assert_eq!(hv_key_place("pcsc:R"), Err(NameError::NoSlot));
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}

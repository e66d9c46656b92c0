//! What differs between cards of one kind, as a table.

use proto::agent::Door;
use proto::apdu::{Aid, CommandApdu};
use proto::card::{ExportIndex, PinCharacters, PinForm};

/// How to speak to one kind of card. Nothing of this is guessed at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardProfile {
    /// The card makes handshakes.
    EapTls(EapTlsProfile),
    /// The card signs.
    Piv(PivProfile),
}

impl CardProfile {
    /// The names of the built-in profiles.
    pub const BUILTIN: [&str; 2] = ["eap-tls", "piv"];

    /// The built-in profile `eap-tls`.
    #[must_use]
    pub fn eap_tls() -> Self {
        Self::EapTls(EapTlsProfile::builtin())
    }

    /// The built-in profile `piv`.
    #[must_use]
    pub fn piv() -> Self {
        Self::Piv(PivProfile::builtin())
    }

    /// The built-in profile of that name.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        match name {
            "eap-tls" => Some(Self::eap_tls()),
            "piv" => Some(Self::piv()),
            _ => None,
        }
    }

    /// The name it goes by in configuration and reports.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::EapTls(profile) => &profile.name,
            Self::Piv(profile) => &profile.name,
        }
    }

    /// Which characters its PIN may have.
    #[must_use]
    pub fn pin_characters(&self) -> PinCharacters {
        match self {
            Self::EapTls(_) => PinCharacters::Digits,
            Self::Piv(profile) => profile.pin_characters,
        }
    }

    /// Which part of a handshake the card takes.
    #[must_use]
    pub fn door(&self) -> Door {
        match self {
            Self::EapTls(_) => Door::EapTls,
            Self::Piv(_) => Door::Piv,
        }
    }
}

/// How to speak to a PIV card.
///
/// Source: NIST SP 800-73-4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PivProfile {
    /// The name it goes by in configuration and reports.
    pub name: String,
    /// The application to select.
    pub aid: Aid,
    /// Whether long commands go to the card as one extended APDU. They are chained otherwise, which
    /// every card takes and which costs a round trip for each 255 bytes.
    pub extended_length: bool,
    /// Which characters its PIN may have: digits by the standard, others on many tokens.
    pub pin_characters: PinCharacters,
}

impl PivProfile {
    /// The built-in profile `piv`.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            name: "piv".to_owned(),
            aid: Aid::PIV,
            extended_length: false,
            pin_characters: PinCharacters::PivDigits,
        }
    }
}

/// How to speak to an EAP-TLS card.
///
/// Source: specs/eap-tls-card.md §13, point 14.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EapTlsProfile {
    /// The name it goes by in configuration and reports.
    pub name: String,
    /// The application to select.
    pub aid: Aid,
    /// The class byte of every command but SELECT.
    pub cla: u8,
    /// How a PIN is sent.
    pub pin_form: PinForm,
    /// Whether the card takes extended APDUs: an EAP packet goes to it as one, and comes back as one.
    /// Known cards do not.
    pub extended_length: bool,
    /// The longest piece of an EAP packet in one APDU, 1 to 255 bytes, with extended APDUs to 65,535;
    /// others are taken for the nearest of these.
    pub segment_len: usize,
    /// The longest EAP packet sent to the card, in bytes, header included: 11 to 65,535; others
    /// are taken for the nearest of these.
    pub fragment_len: usize,
    /// INS that fetches the rest of a long answer after 9Fxx.
    pub fetch_ins: u8,
    /// Whether to go over to GET RESPONSE when the card lacks `fetch_ins`.
    pub fetch_fallback: bool,
    /// Whether to send Reset-State before and after a handshake; a card that lacks it is tolerated.
    pub reset_state: bool,
    /// Whether Get-State has the values of draft 26, so that 03 must follow a handshake.
    pub draft26_states: bool,
    /// Whether method function 0 is asked for each identity's certificate.
    pub read_certificates: bool,
    /// Whether INS 8A (parameters for the next handshake) is probed for.
    pub probe_parameters: bool,
    /// Whether method function C2 (store a session id) may be used to make the card forget.
    pub store_session_id: bool,
    /// How the negotiated suite is read.
    pub export_suite: ExportCommand,
    /// How the KeyBlock is read.
    pub export_key_block: ExportCommand,
}

impl EapTlsProfile {
    /// The built-in profile `eap-tls`.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            name: "eap-tls".to_owned(),
            aid: Aid::EAP_TLS,
            cla: 0xA0,
            pin_form: PinForm::Digits,
            extended_length: false,
            segment_len: 240,
            fragment_len: 1494,
            fetch_ins: 0x12,
            fetch_fallback: true,
            reset_state: true,
            draft26_states: true,
            read_certificates: true,
            probe_parameters: true,
            store_session_id: true,
            export_suite: ExportCommand::index(ExportIndex::CipherSuite),
            export_key_block: ExportCommand::index(ExportIndex::KeyBlock),
        }
    }
}

/// One of the two commands that export what a handshake made; no public document fixes them.
///
/// Source: specs/eap-tls-card.md §9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportCommand(CommandApdu);

impl ExportCommand {
    /// Get-Exported-Parameter with this index: `A0 86 00 00 01 index`.
    #[must_use]
    pub fn index(index: ExportIndex) -> Self {
        let command = CommandApdu::new(0, 0x86, 0x00, 0x00)
            .with_data(&[index.into()])
            .expect("one byte fits an APDU");
        Self(command)
    }

    /// The command with the class byte of the profile.
    #[must_use]
    pub fn to_apdu(&self, cla: u8) -> CommandApdu {
        let mut command = self.0.clone();
        command.cla = cla;
        command
    }
}

/// Any other coding; its class byte is replaced by that of the profile.
impl From<CommandApdu> for ExportCommand {
    fn from(mut command: CommandApdu) -> Self {
        command.cla = 0;
        Self(command)
    }
}

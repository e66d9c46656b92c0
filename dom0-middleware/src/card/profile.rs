//! What differs between EAP-TLS cards, as a table.

use proto::apdu::{Aid, CommandApdu};
use proto::card::{ExportIndex, PinForm};

/// How to speak to one kind of card. Nothing of this is guessed at run time.
///
/// Source: specs/eap-tls-card.md §13, point 14.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardProfile {
    /// The name it goes by in configuration and reports.
    pub name: String,
    /// The application to select.
    pub aid: Aid,
    /// The class byte of every command but SELECT.
    pub cla: u8,
    /// How a PIN is sent.
    pub pin_form: PinForm,
    /// The longest piece of an EAP packet in one APDU, 1 to 255 bytes; others are taken for the
    /// nearest of these.
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

impl CardProfile {
    /// The built-in profile `eap-tls`.
    #[must_use]
    pub fn eap_tls() -> Self {
        Self {
            name: "eap-tls".to_owned(),
            aid: Aid::EAP_TLS,
            cla: 0xA0,
            pin_form: PinForm::Digits,
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

    /// The built-in profile of that name.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        (name == "eap-tls").then(Self::eap_tls)
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

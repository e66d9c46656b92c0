//! What goes wrong, and which commands it can befall.

use proto::card::ExportIndex;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The command is carried out and never answered.
    Mute,
    /// The answer comes [`super::Fault::SLOW`] late.
    Slow,
    /// The answer has the right status word and wrong data.
    Garbage,
    /// Half of the answer's data is missing; of an answer without data, half of the status word.
    Truncated,
    /// The card loses power before the command: PIN, selection and handshake are gone.
    Reset,
    /// The card is pulled before the command, and put back a while later.
    Removed,
    /// The command is carried out and answered 6F00 without data.
    WrongSw,
    /// An EAP packet comes with another identifier than the request's.
    WrongEapId,
    /// An EAP packet says another length than it has.
    WrongEapLength,
    /// An EAP packet is of another method than EAP-TLS.
    WrongEapType,
    /// A NAK comes instead of an EAP packet.
    Nak,
    /// 9000 comes instead of data.
    Empty9000,
    /// From here on, until the card loses power, each command is answered 9F10 with some data.
    Endless9F,
    /// From here on, until the card loses power, each command is answered 6110.
    Loop61,
    /// The second half of the KeyBlock is missing.
    ShortKeyBlock,
    /// The cipher suite that is reported is not the one in use.
    OtherSuite,
    /// The next identity takes the place of the one that was set, before a handshake is prepared.
    OtherCertificate,
    /// A PIV card takes the PIN for not verified when it is to sign.
    PinForgotten,
    /// One byte of the next signature of a PIV card is another.
    WrongSignature,
}

impl FaultKind {
    /// Each kind with its name on the command line.
    pub(super) const NAMES: [(Self, &'static str); 19] = [
        (Self::Mute, "mute"),
        (Self::Slow, "slow"),
        (Self::Garbage, "garbage"),
        (Self::Truncated, "truncated"),
        (Self::Reset, "reset"),
        (Self::Removed, "removed"),
        (Self::WrongSw, "wrong-sw"),
        (Self::WrongEapId, "wrong-eap-id"),
        (Self::WrongEapLength, "wrong-eap-length"),
        (Self::WrongEapType, "wrong-eap-type"),
        (Self::Nak, "nak"),
        (Self::Empty9000, "empty-9000"),
        (Self::Endless9F, "endless-9f"),
        (Self::Loop61, "loop-61"),
        (Self::ShortKeyBlock, "short-key-block"),
        (Self::OtherSuite, "other-suite"),
        (Self::OtherCertificate, "other-certificate"),
        (Self::PinForgotten, "pin-forgotten"),
        (Self::WrongSignature, "wrong-signature"),
    ];

    /// Whether it happens before the card gets this command.
    pub(crate) fn comes_before(self, command: &[u8]) -> bool {
        match self {
            Self::Reset | Self::Removed => true,
            Self::OtherCertificate => command.get(1) == Some(&INS_NEXT_HANDSHAKE),
            Self::PinForgotten | Self::WrongSignature => {
                command.get(1) == Some(&INS_GENERAL_AUTHENTICATE)
            }
            _ => false,
        }
    }

    /// Whether it is the card itself that does another thing than it should.
    pub(crate) fn happens_inside(self) -> bool {
        matches!(
            self,
            Self::OtherCertificate | Self::PinForgotten | Self::WrongSignature
        )
    }

    /// Whether it goes on until the card loses power.
    pub(crate) fn lasts(self) -> bool {
        matches!(self, Self::Endless9F | Self::Loop61)
    }

    /// Whether it can befall this command when the card has answered it.
    pub(crate) fn fits(self, exchange: &Exchange<'_>) -> bool {
        match self {
            Self::WrongEapId | Self::WrongEapLength | Self::WrongEapType | Self::Nak => {
                exchange.begins_eap_packet()
            }
            Self::Empty9000 => exchange.has_data(),
            Self::ShortKeyBlock => exchange.exports(ExportIndex::KeyBlock),
            Self::OtherSuite => exchange.exports(ExportIndex::CipherSuite),
            Self::Reset | Self::Removed => false,
            inside if inside.happens_inside() => false,
            _ => true,
        }
    }
}

/// A command and the card's true answer to it.
pub(crate) struct Exchange<'a> {
    /// The command APDU.
    pub(crate) command: &'a [u8],
    /// The response APDU.
    pub(crate) response: &'a [u8],
    /// Whether the command before was Process-EAP and had an answer without data.
    pub(crate) fetches_eap_packet: bool,
}

impl Exchange<'_> {
    /// Whether this was Process-EAP, and FETCH brings the answer.
    pub(crate) fn postpones_eap_packet(&self) -> bool {
        self.ins() == Some(INS_PROCESS_EAP) && !self.has_data()
    }

    fn begins_eap_packet(&self) -> bool {
        let is_eap = match self.ins() {
            Some(INS_PROCESS_EAP) => true,
            Some(INS_FETCH) => self.fetches_eap_packet,
            _ => false,
        };
        // Code, identifier, length, method; then the status word.
        is_eap && self.response.len() >= 5 + 2
    }

    fn exports(&self, index: ExportIndex) -> bool {
        self.ins() == Some(INS_EXPORT)
            && self.command.last() == Some(&index.into())
            && self.has_data()
    }

    fn has_data(&self) -> bool {
        self.response.len() > 2
    }

    fn ins(&self) -> Option<u8> {
        self.command.get(1).copied()
    }
}

const INS_FETCH: u8 = 0x12;
const INS_PROCESS_EAP: u8 = 0x80;
const INS_EXPORT: u8 = 0x86;
const INS_GENERAL_AUTHENTICATE: u8 = 0x87;
const INS_NEXT_HANDSHAKE: u8 = 0x8A;

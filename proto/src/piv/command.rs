//! The commands of a PIV card that the driver sends.

use thiserror::Error;

use super::algorithm::KeyAlgorithm;
use super::authenticate::GeneralAuthenticate;
use super::object::ObjectTag;
use super::slot::Slot;
use super::tlv::{TlvReader, TlvWriter};
use crate::apdu::{Aid, ApduError, CommandApdu};
use crate::card::{Pin, PinError};
use crate::error::DecodeError;

/// One command. As an APDU it may be long: to a card without extended length it goes
/// [`chained`](CommandApdu::chained).
///
/// Source: NIST SP 800-73-4 Part 2 §3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PivCommand {
    /// `00 A4 04 00 Lc aid 00`.
    Select(Aid),
    /// `00 20 00 P2`, without data: `9000` if verified, else `63Cx` with the tries left. It costs
    /// no try.
    PinStatus(PinReference),
    /// `00 20 00 P2 08 pin`: the PIN, filled up with FF. A wrong one costs a try.
    VerifyPin(PinReference, Pin),
    /// `00 CB 3F FF Lc 5C { tag } 00`.
    GetData(ObjectTag),
    /// `00 F7 00 key 00`: what the card says of the key in a slot. Not of the standard: some vendors'
    /// cards have it, others do not know the instruction.
    GetMetadata(Slot),
    /// `00 87 algorithm key Lc 7C {..} 00`.
    GeneralAuthenticate(GeneralAuthenticate),
}

/// Which PIN; P2 of VERIFY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinReference {
    /// 80: the application's.
    Application,
    /// 00: the one of the whole card.
    Global,
}

impl PinReference {
    /// Its byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Application => 0x80,
            Self::Global => 0x00,
        }
    }

    /// The reference with this byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Application, Self::Global]
            .into_iter()
            .find(|one| one.byte() == byte)
    }
}

impl PivCommand {
    /// As one APDU, of whatever length.
    ///
    /// # Errors
    /// [`ApduError`] for an input of more than 65,000 bytes; none of a key's own length is.
    pub fn to_apdu(&self) -> Result<CommandApdu, ApduError> {
        let apdu = |ins, p1, p2| CommandApdu::new(CLA, ins, p1, p2);
        match self {
            Self::Select(aid) => {
                let select = apdu(INS_SELECT, 0x04, 0x00).with_data(aid.as_bytes())?;
                Ok(select.with_le(LE_ALL))
            }
            Self::PinStatus(reference) => Ok(apdu(INS_VERIFY, 0x00, reference.byte())),
            Self::VerifyPin(reference, pin) => {
                apdu(INS_VERIFY, 0x00, reference.byte()).with_data(&pin.padded()[..])
            }
            Self::GetData(tag) => {
                let list = TlvWriter::new().with(TAG_LIST, &tag.to_bytes());
                let get = apdu(INS_GET_DATA, 0x3F, 0xFF).with_data(&list.into_bytes())?;
                Ok(get.with_le(LE_ALL))
            }
            Self::GetMetadata(slot) => {
                Ok(apdu(INS_GET_METADATA, 0x00, slot.key_reference()).with_le(LE_ALL))
            }
            Self::GeneralAuthenticate(order) => {
                let (p1, p2) = (order.algorithm.byte(), order.slot.key_reference());
                let sign = apdu(INS_GENERAL_AUTHENTICATE, p1, p2);
                Ok(sign.with_long_data(&order.template())?.with_le(LE_ALL))
            }
        }
    }
}

/// Reads a command as a card does, chains put together. The class is not looked at, nor Le.
impl TryFrom<&CommandApdu> for PivCommand {
    type Error = PivCommandError;

    fn try_from(apdu: &CommandApdu) -> Result<Self, PivCommandError> {
        let data = apdu.data();
        match (apdu.ins, apdu.p1, apdu.p2) {
            (INS_SELECT, 0x04, 0x00) => {
                let aid = data.try_into().map_err(|_| PivCommandError::Aid)?;
                Ok(Self::Select(aid))
            }
            (INS_VERIFY, 0x00, reference) => {
                let reference = PinReference::from_byte(reference);
                let reference = reference.ok_or(PivCommandError::Reference { got: apdu.p2 })?;
                match data {
                    [] => Ok(Self::PinStatus(reference)),
                    digits => Ok(Self::VerifyPin(reference, Pin::from_padded(digits)?)),
                }
            }
            (INS_GET_DATA, 0x3F, 0xFF) => {
                let tag = TlvReader::new(data).expect(TAG_LIST, "tag list")?;
                Ok(Self::GetData(tag.try_into()?))
            }
            (INS_GET_METADATA, 0x00, reference) => Ok(Self::GetMetadata(slot(reference)?)),
            (INS_GENERAL_AUTHENTICATE, algorithm, reference) => {
                let algorithm = KeyAlgorithm::from_byte(algorithm)
                    .ok_or(PivCommandError::Algorithm { got: algorithm })?;
                let slot = slot(reference)?;
                let input = GeneralAuthenticate::input_of(data)?.to_vec();
                Ok(Self::GeneralAuthenticate(GeneralAuthenticate {
                    algorithm,
                    slot,
                    input,
                }))
            }
            (ins, p1, p2) => Err(PivCommandError::Unknown { ins, p1, p2 }),
        }
    }
}

fn slot(reference: u8) -> Result<Slot, PivCommandError> {
    let got = reference;
    Slot::from_key_reference(reference).ok_or(PivCommandError::Reference { got })
}

/// Why an APDU is none of these commands.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PivCommandError {
    /// SELECT of something that is no AID.
    #[error("SELECT without an AID")]
    Aid,
    /// VERIFY with something that is no PIN.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// Data that is not what the command takes.
    #[error(transparent)]
    Data(#[from] DecodeError),
    /// An algorithm that is not known.
    #[error("unknown algorithm {got:02X}")]
    Algorithm {
        /// Its byte.
        got: u8,
    },
    /// A key or PIN that does not exist.
    #[error("unknown key or PIN reference {got:02X}")]
    Reference {
        /// Its byte.
        got: u8,
    },
    /// Another command.
    #[error("unknown command {ins:02X} {p1:02X} {p2:02X}")]
    Unknown {
        /// Its instruction.
        ins: u8,
        /// Its first parameter.
        p1: u8,
        /// Its second parameter.
        p2: u8,
    },
}

const CLA: u8 = 0x00;
const INS_SELECT: u8 = 0xA4;
const INS_VERIFY: u8 = 0x20;
const INS_GET_DATA: u8 = 0xCB;
const INS_GENERAL_AUTHENTICATE: u8 = 0x87;
const INS_GET_METADATA: u8 = 0xF7;
const TAG_LIST: u32 = 0x5C;
const LE_ALL: u32 = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::card::PinCharacters;

    fn pin() -> Pin {
        Pin::new(b"123456").expect("a PIN")
    }

    fn bytes(command: &PivCommand) -> Vec<u8> {
        command.to_apdu().expect("fits").encode().to_vec()
    }

    #[test]
    fn commands_have_the_bytes_of_the_standard() {
        let select = [
            0x00, 0xA4, 0x04, 0x00, 0x09, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0,
        ];
        assert_eq!(bytes(&PivCommand::Select(Aid::PIV)), select);
        let application = PinReference::Application;
        assert_eq!(
            bytes(&PivCommand::PinStatus(application)),
            [0x00, 0x20, 0x00, 0x80]
        );
        assert_eq!(
            bytes(&PivCommand::VerifyPin(application, pin())),
            *b"\x00\x20\x00\x80\x08123456\xFF\xFF"
        );
        assert_eq!(
            bytes(&PivCommand::GetData(Slot::Authentication.certificate())),
            [0x00, 0xCB, 0x3F, 0xFF, 5, 0x5C, 3, 0x5F, 0xC1, 0x05, 0]
        );
        assert_eq!(
            bytes(&PivCommand::GetData(ObjectTag::DISCOVERY)),
            [0x00, 0xCB, 0x3F, 0xFF, 3, 0x5C, 1, 0x7E, 0]
        );
        assert_eq!(
            bytes(&PivCommand::GetMetadata(Slot::Signature)),
            [0x00, 0xF7, 0x00, 0x9C, 0]
        );
    }

    #[test]
    fn a_signature_of_rsa_takes_two_links() {
        let order = GeneralAuthenticate {
            algorithm: KeyAlgorithm::Rsa2048,
            slot: Slot::Authentication,
            input: vec![1; 256],
        };
        let apdu = PivCommand::GeneralAuthenticate(order).to_apdu();
        let links = apdu.expect("fits").chained();
        let shown: Vec<String> = links.iter().map(|link| format!("{link:?}")).collect();
        assert_eq!(
            shown,
            ["10 87 07 9A (255 bytes)", "00 87 07 9A (11 bytes) Le 256"]
        );
    }

    #[test]
    fn a_card_refuses_what_is_none_of_them() {
        let apdu = |ins, p1, p2, data: &[u8]| {
            let apdu = CommandApdu::new(0x00, ins, p1, p2).with_data(data);
            PivCommand::try_from(&apdu.expect("fits"))
        };
        assert_eq!(apdu(0xA4, 4, 0, &[1]), Err(PivCommandError::Aid));
        assert_eq!(
            apdu(0x20, 0, 0x81, b"123456\xFF\xFF"),
            Err(PivCommandError::Reference { got: 0x81 })
        );
        let no_pin = Err(PivCommandError::Pin(PinError));
        assert_eq!(apdu(0x20, 0, 0x80, b"123456"), no_pin);
        assert_eq!(apdu(0x20, 0, 0x80, b"12\xFF456\xFF\xFF"), no_pin);
        assert!(matches!(
            apdu(0xCB, 0x3F, 0xFF, &[0x5C, 2, 1, 1]),
            Err(PivCommandError::Data(_))
        ));
        let template = [0x7C, 4, 0x82, 0, 0x81, 0];
        assert_eq!(
            apdu(0x87, 0x03, 0x9B, &template),
            Err(PivCommandError::Algorithm { got: 0x03 })
        );
        assert_eq!(
            apdu(0x87, 0x07, 0x9B, &template),
            Err(PivCommandError::Reference { got: 0x9B })
        );
        let unknown = PivCommandError::Unknown {
            ins: 0x47,
            p1: 0,
            p2: 0x9A,
        };
        assert_eq!(apdu(0x47, 0, 0x9A, &[0]), Err(unknown));
    }

    #[test]
    fn debug_shows_no_pin() {
        let shown = format!("{:?}", PivCommand::VerifyPin(PinReference::Global, pin()));
        assert_eq!(shown, "VerifyPin(Global, Pin(..))");
    }

    fn any_command() -> impl Strategy<Value = PivCommand> {
        let reference = prop::sample::select(vec![PinReference::Application, PinReference::Global]);
        let slots: Vec<Slot> = Slot::all().collect();
        let slot = prop::sample::select(slots);
        let algorithm = prop::sample::select(KeyAlgorithm::ALL.to_vec());
        let order = (algorithm, slot.clone()).prop_map(|(algorithm, slot)| GeneralAuthenticate {
            algorithm,
            slot,
            input: vec![3; algorithm.input_len()],
        });
        prop_oneof![
            Just(PivCommand::Select(Aid::PIV)),
            reference.clone().prop_map(PivCommand::PinStatus),
            (reference.clone(), "[0-9]{4,8}").prop_map(|(reference, digits)| {
                PivCommand::VerifyPin(reference, Pin::new(digits.as_bytes()).expect("a PIN"))
            }),
            (reference, "[ -~]{6,8}").prop_map(|(reference, pin)| {
                let pin = Pin::of(PinCharacters::Printable, pin.as_bytes());
                PivCommand::VerifyPin(reference, pin.expect("a PIN"))
            }),
            slot.clone()
                .prop_map(|slot| PivCommand::GetData(slot.certificate())),
            slot.prop_map(PivCommand::GetMetadata),
            order.prop_map(PivCommand::GeneralAuthenticate),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_card_reads_what_the_driver_sends(command in any_command()) {
            let apdu = command.to_apdu().expect("fits");
            let bytes = apdu.encode();
            let came = CommandApdu::decode_any(&bytes).expect("own encoding");
            prop_assert_eq!(PivCommand::try_from(&came), Ok(command));
        }
    }
}

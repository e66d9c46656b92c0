//! Each command of an EAP-TLS card as a type.

use crate::apdu::{Aid, ApduError, CommandApdu};
use crate::error::DecodeError;
use crate::id::{IdError, IdentityName};

use super::export::ExportIndex;
use super::next_handshake::{NextHandshake, NextHandshakeError};
use super::pin::{Pin, PinError, PinForm, PinHolder};

/// The commands the driver sends and the soft card understands.
///
/// Source: specs/eap-tls-card.md §4. Short identity identifiers (P2 of most) are always 00: no
/// known card opens several identities at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EapCardCommand {
    /// `00 A4 04 00 Lc aid`, always with class 00 (§5.1).
    Select(Aid),
    /// `A0 20 00 P2 Lc pin`: P2 says whose (§5.2).
    VerifyPin {
        /// Whose PIN.
        holder: PinHolder,
        /// The PIN.
        pin: Pin,
        /// How it is written.
        form: PinForm,
    },
    /// `A0 16 00 80 Lc name` (§5.3).
    SetIdentity(IdentityName),
    /// `A0 17 00 01 Le`: the next name of the list (§5.3).
    NextIdentity,
    /// `A0 18 00 00 Le`: the name set last (§5.3).
    CurrentIdentity,
    /// `A0 19 00 00 01`: see [`super::CardState`] (§5.4).
    State,
    /// `A0 19 10 00 00` (§5.4).
    ResetState,
    /// `A0 80 P1 00 Lc data`: a packet or a segment of one; bit 0 of P1 says that more follow
    /// (§5.5).
    ProcessEap {
        /// Whether more segments of this packet follow.
        more: bool,
        /// 1 to 65,535 bytes; more than 255 make an extended command.
        data: Vec<u8>,
    },
    /// `A0 86 00 00 01 index` (§9.2, PROPOSED).
    ExportedParameter(ExportIndex),
    /// `A0 8A 00 00 Lc parameters` (§9.3a, PROPOSED).
    NextHandshake(NextHandshake),
    /// `A0 60 00 00 Le`: method function 0, the certificate of the current identity (§5.8).
    ReadCertificate,
    /// `A0 60 C2 00 Lc id`: overwrites the stored session id, 1 to 64 bytes (§5.8, §7.6).
    StoreSessionId(Vec<u8>),
    /// `A0 12 00 00 Le`: the next block of a long answer (§2).
    Fetch,
}

impl EapCardCommand {
    /// As an APDU of class `cla`; SELECT always has class 00.
    ///
    /// # Errors
    /// [`CardCommandError`] for a value that does not fit one APDU.
    pub fn to_apdu(&self, cla: u8) -> Result<CommandApdu, CardCommandError> {
        let apdu = |ins, p1, p2| CommandApdu::new(cla, ins, p1, p2);
        let apdu = match self {
            Self::Select(aid) => {
                CommandApdu::new(0x00, INS_SELECT, 0x04, 0x00).with_data(aid.as_bytes())?
            }
            Self::VerifyPin { holder, pin, form } => {
                let p2 = match holder {
                    PinHolder::User => 0x00,
                    PinHolder::Operator => 0x01,
                };
                let verify = apdu(INS_VERIFY, 0x00, p2);
                match form {
                    PinForm::Digits => verify.with_data(pin.as_bytes())?,
                    PinForm::Padded => verify.with_data(&pin.padded()[..])?,
                }
            }
            Self::SetIdentity(name) => {
                apdu(INS_SET_IDENTITY, 0x00, 0x80).with_data(name.as_bytes())?
            }
            Self::NextIdentity => apdu(INS_NEXT_IDENTITY, 0x00, 0x01).with_le(LE_ALL),
            Self::CurrentIdentity => apdu(INS_CURRENT_IDENTITY, 0x00, 0x00).with_le(LE_ALL),
            Self::State => apdu(INS_STATE, P1_GET, 0x00).with_le(1),
            Self::ResetState => apdu(INS_STATE, P1_RESET, 0x00).with_le(LE_ALL),
            Self::ProcessEap { more, data } => {
                let command = apdu(INS_PROCESS_EAP, (*more).into(), 0x00);
                match data.as_slice() {
                    [] => command,
                    some => command.with_long_data(some)?,
                }
            }
            Self::ExportedParameter(index) => {
                apdu(INS_EXPORTED_PARAMETER, 0x00, 0x00).with_data(&[(*index).into()])?
            }
            Self::NextHandshake(parameters) => {
                with_any(apdu(INS_NEXT_HANDSHAKE, 0x00, 0x00), &parameters.encode()?)?
            }
            Self::ReadCertificate => {
                apdu(INS_METHOD_FUNCTION, P1_READ_CERTIFICATE, 0x00).with_le(LE_ALL)
            }
            Self::StoreSessionId(id) => {
                apdu(INS_METHOD_FUNCTION, P1_STORE_SESSION_ID, 0x00).with_data(session_id(id)?)?
            }
            Self::Fetch => apdu(INS_FETCH, 0x00, 0x00).with_le(LE_ALL),
        };
        Ok(apdu)
    }
}

/// Reads a command as a card does. The class is not looked at, as no known card does; neither is
/// Le, which says how much answer is wanted and not what.
impl TryFrom<&CommandApdu> for EapCardCommand {
    type Error = CardCommandError;

    fn try_from(apdu: &CommandApdu) -> Result<Self, CardCommandError> {
        let data = apdu.data();
        let command = match (apdu.ins, apdu.p1, apdu.p2) {
            (INS_SELECT, 0x04, 0x00) => {
                Self::Select(data.try_into().map_err(|_| CardCommandError::Aid)?)
            }
            (INS_VERIFY, 0x00, p2 @ 0x00..=0x01) => {
                let (pin, form) = Pin::decode(data)?;
                let holder = if p2 == 0 {
                    PinHolder::User
                } else {
                    PinHolder::Operator
                };
                Self::VerifyPin { holder, pin, form }
            }
            (INS_SET_IDENTITY, 0x00, 0x80) => Self::SetIdentity(data.try_into()?),
            (INS_NEXT_IDENTITY, 0x00, 0x01) => Self::NextIdentity,
            (INS_CURRENT_IDENTITY, 0x00, 0x00) => Self::CurrentIdentity,
            (INS_STATE, P1_GET, 0x00) => Self::State,
            (INS_STATE, P1_RESET, 0x00) => Self::ResetState,
            (INS_PROCESS_EAP, more @ 0x00..=0x01, 0x00) => Self::ProcessEap {
                more: more == 1,
                data: data.to_vec(),
            },
            (INS_EXPORTED_PARAMETER, 0x00, 0x00) => match data {
                [index] => Self::ExportedParameter((*index).into()),
                _ => return Err(CardCommandError::Length { got: data.len() }),
            },
            (INS_NEXT_HANDSHAKE, 0x00, 0x00) => Self::NextHandshake(NextHandshake::decode(data)?),
            // Bit 40 starts reading from the beginning; the first answer does so anyway.
            (INS_METHOD_FUNCTION, P1_READ_CERTIFICATE | 0x40, P2_METHOD | 0x00) => {
                Self::ReadCertificate
            }
            (INS_METHOD_FUNCTION, P1_STORE_SESSION_ID, P2_METHOD | 0x00) => {
                Self::StoreSessionId(session_id(data)?.to_vec())
            }
            (INS_FETCH, 0x00, 0x00) => Self::Fetch,
            (ins, p1, p2) if KNOWN.contains(&ins) => {
                return Err(CardCommandError::Parameters { ins, p1, p2 });
            }
            (ins, _, _) => return Err(CardCommandError::UnknownIns { ins }),
        };
        Ok(command)
    }
}

/// Data that may be empty: no host sends a segment or wishes without, but they can be read.
fn with_any(apdu: CommandApdu, data: &[u8]) -> Result<CommandApdu, CardCommandError> {
    match data {
        [] => Ok(apdu),
        some => Ok(apdu.with_data(some)?),
    }
}

fn session_id(id: &[u8]) -> Result<&[u8], CardCommandError> {
    match id.len() {
        1..=MAX_SESSION_ID => Ok(id),
        got => Err(CardCommandError::Length { got }),
    }
}

/// Why an APDU is no command, or a command no APDU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardCommandError {
    /// No command has this instruction.
    #[error("unknown instruction {ins:02X}")]
    UnknownIns {
        /// INS.
        ins: u8,
    },
    /// A known instruction with other parameters.
    #[error("instruction {ins:02X} does not take P1 {p1:02X} and P2 {p2:02X}")]
    Parameters {
        /// INS.
        ins: u8,
        /// P1.
        p1: u8,
        /// P2.
        p2: u8,
    },
    /// Data of a length that this command does not take.
    #[error("data of {got} bytes does not fit the command")]
    Length {
        /// Its bytes.
        got: usize,
    },
    /// Not the name of an application.
    #[error("not an application identifier")]
    Aid,
    /// Not a PIN.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// Not the name of an identity.
    #[error(transparent)]
    Identity(#[from] IdError),
    /// Parameters for the next handshake that cannot be written.
    #[error(transparent)]
    NextHandshake(#[from] NextHandshakeError),
    /// Parameters for the next handshake that cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Too much or too little for one APDU.
    #[error(transparent)]
    Apdu(#[from] ApduError),
}

const INS_FETCH: u8 = 0x12;
const INS_SET_IDENTITY: u8 = 0x16;
const INS_NEXT_IDENTITY: u8 = 0x17;
const INS_CURRENT_IDENTITY: u8 = 0x18;
const INS_STATE: u8 = 0x19;
const INS_VERIFY: u8 = 0x20;
const INS_METHOD_FUNCTION: u8 = 0x60;
const INS_PROCESS_EAP: u8 = 0x80;
const INS_EXPORTED_PARAMETER: u8 = 0x86;
const INS_NEXT_HANDSHAKE: u8 = 0x8A;
const INS_SELECT: u8 = 0xA4;
const KNOWN: [u8; 11] = [
    INS_FETCH,
    INS_SET_IDENTITY,
    INS_NEXT_IDENTITY,
    INS_CURRENT_IDENTITY,
    INS_STATE,
    INS_VERIFY,
    INS_METHOD_FUNCTION,
    INS_PROCESS_EAP,
    INS_EXPORTED_PARAMETER,
    INS_NEXT_HANDSHAKE,
    INS_SELECT,
];
const P1_GET: u8 = 0x00;
const P1_RESET: u8 = 0x10;
const P1_READ_CERTIFICATE: u8 = 0x00;
const P1_STORE_SESSION_ID: u8 = 0xC2;
/// Draft 26 writes P2 of method functions so as well.
const P2_METHOD: u8 = 0x82;
/// Le of 00: whatever there is.
const LE_ALL: u32 = 256;
/// The longest session id a card stores, in bytes.
const MAX_SESSION_ID: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLA: u8 = 0xA0;

    fn command() -> impl Strategy<Value = EapCardCommand> {
        let bytes = |range| prop::collection::vec(any::<u8>(), range);
        let holder = prop::sample::select(vec![PinHolder::User, PinHolder::Operator]);
        prop_oneof![
            bytes(5..=16)
                .prop_map(|aid| EapCardCommand::Select(aid[..].try_into().expect("5 to 16"))),
            ("[0-9]{4,7}", holder, any::<bool>()).prop_map(|(digits, holder, padded)| {
                let pin = Pin::new(digits.as_bytes()).expect("digits");
                let form = if padded {
                    PinForm::Padded
                } else {
                    PinForm::Digits
                };
                EapCardCommand::VerifyPin { holder, pin, form }
            }),
            "[ -~]{1,64}"
                .prop_map(|name| EapCardCommand::SetIdentity(name.parse().expect("printable"))),
            Just(EapCardCommand::NextIdentity),
            Just(EapCardCommand::CurrentIdentity),
            Just(EapCardCommand::State),
            Just(EapCardCommand::ResetState),
            (any::<bool>(), bytes(0..=255))
                .prop_map(|(more, data)| EapCardCommand::ProcessEap { more, data }),
            any::<u8>().prop_map(|index| EapCardCommand::ExportedParameter(index.into())),
            "[a-z.]{1,60}".prop_map(|name| EapCardCommand::NextHandshake(NextHandshake {
                server_name: Some(name),
                ..NextHandshake::default()
            })),
            Just(EapCardCommand::ReadCertificate),
            bytes(1..=64).prop_map(EapCardCommand::StoreSessionId),
            Just(EapCardCommand::Fetch),
        ]
    }

    fn encoded(command: &EapCardCommand) -> Vec<u8> {
        let apdu = command.to_apdu(CLA).expect("fits");
        apdu.encode().to_vec()
    }

    #[test]
    fn commands_have_the_bytes_of_the_recorded_sessions() {
        let hex = |text: &str| -> Vec<u8> {
            let digits = text.split(' ').map(|pair| u8::from_str_radix(pair, 16));
            digits.collect::<Result<_, _>>().expect("hexadecimal")
        };
        let pin = Pin::new(b"0000").expect("digits");
        let (holder, form) = (PinHolder::User, PinForm::Digits);
        let cases = [
            (
                EapCardCommand::Select(Aid::EAP_TLS),
                "00 A4 04 00 10 A0 00 00 00 30 00 02 FF FF FF FF 89 31 32 38 00",
            ),
            (
                EapCardCommand::VerifyPin { holder, pin, form },
                "A0 20 00 00 04 30 30 30 30",
            ),
            (
                EapCardCommand::SetIdentity("alice".parse().expect("a name")),
                "A0 16 00 80 05 61 6C 69 63 65",
            ),
            (EapCardCommand::NextIdentity, "A0 17 00 01 00"),
            (EapCardCommand::CurrentIdentity, "A0 18 00 00 00"),
            (EapCardCommand::State, "A0 19 00 00 01"),
            (EapCardCommand::ResetState, "A0 19 10 00 00"),
            (
                EapCardCommand::ProcessEap {
                    more: false,
                    data: crate::eap::acknowledge(0x17),
                },
                "A0 80 00 00 06 01 17 00 06 0D 00",
            ),
            (
                EapCardCommand::ExportedParameter(ExportIndex::KeyBlock),
                "A0 86 00 00 01 82",
            ),
            (EapCardCommand::Fetch, "A0 12 00 00 00"),
        ];
        for (command, bytes) in cases {
            assert_eq!(encoded(&command), hex(bytes), "{command:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let read = |apdu: CommandApdu| EapCardCommand::try_from(&apdu).expect_err("refused");
        let apdu = CommandApdu::new;
        assert_eq!(
            read(apdu(CLA, 0xB0, 0, 0)),
            CardCommandError::UnknownIns { ins: 0xB0 }
        );
        let (ins, p1, p2) = (0x16, 0x00, 0x83);
        assert_eq!(
            read(apdu(CLA, ins, p1, p2)),
            CardCommandError::Parameters { ins, p1, p2 }
        );
        assert_eq!(
            read(apdu(CLA, 0x86, 0, 0)),
            CardCommandError::Length { got: 0 }
        );
        // An empty VERIFY is no PIN: it never becomes a typed command.
        assert_eq!(
            read(apdu(CLA, 0x20, 0, 0).with_le(256)),
            CardCommandError::Pin(PinError)
        );
    }

    #[test]
    fn values_that_fit_no_apdu_are_not_sent() {
        let id = EapCardCommand::StoreSessionId(vec![0; 65]);
        assert_eq!(id.to_apdu(CLA), Err(CardCommandError::Length { got: 65 }));
        let data = vec![0; 65_536];
        assert!(
            EapCardCommand::ProcessEap { more: true, data }
                .to_apdu(CLA)
                .is_err()
        );
    }

    #[test]
    fn commands_that_were_read_without_data_can_be_written() {
        for (ins, p1) in [(0x80, 1), (0x8A, 0)] {
            let apdu = CommandApdu::new(CLA, ins, p1, 0);
            let command = EapCardCommand::try_from(&apdu).expect("read");
            assert_eq!(command.to_apdu(CLA), Ok(apdu));
        }
    }

    #[test]
    fn debug_of_a_verify_shows_no_pin() {
        let pin = Pin::new(b"97531").expect("digits");
        let (holder, form) = (PinHolder::User, PinForm::Digits);
        let verify = EapCardCommand::VerifyPin { holder, pin, form };
        let shown = format!("{verify:?} {:?}", verify.to_apdu(CLA));
        assert!(!shown.contains("97531") && !shown.contains("57"), "{shown}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_command_comes_back_from_its_apdu(command in command()) {
            let apdu = command.to_apdu(CLA).expect("fits");
            prop_assert_eq!(EapCardCommand::try_from(&apdu), Ok(command));
        }

        #[test]
        fn any_apdu_is_read_without_panic(
            header: [u8; 4], data in prop::collection::vec(any::<u8>(), 1..80),
        ) {
            let [cla, ins, p1, p2] = header;
            let apdu = CommandApdu::new(cla, ins, p1, p2).with_data(&data).expect("short");
            for ins in KNOWN.into_iter().chain([ins]) {
                let mut apdu = apdu.clone();
                apdu.ins = ins;
                if let Ok(command) = EapCardCommand::try_from(&apdu) {
                    prop_assert!(command.to_apdu(cla).is_ok(), "{:?}", command);
                }
            }
        }
    }
}

//! The card: one command in, one answer out.

use std::fmt;

use proto::apdu::{Aid, CommandApdu, Protocol, ResponseApdu, StatusWord};
use proto::card::EapCardCommand;
use proto::id::IdentityName;
use zeroize::Zeroizing;

use crate::applet::{Answer, Applet};
use crate::eap_tls::{Machine, Reaction};
use crate::eeprom::Eeprom;
use crate::fault::FaultKind;
use crate::identity::Identity;
use crate::output::{Pending, Reply};
use crate::pin::{Holder, PinState, Pins};
use crate::settings::CardSettings;
use crate::status;

/// An EAP-TLS card, powered on.
///
/// [`Self::transmit`] is all a reader does with it; [`Self::reset`] is a power cycle. It owns no
/// clock and opens no file: time comes with each start packet, PIN counters go to its [`Eeprom`].
///
/// Source: EAP-TLS card specification; where §5 and §12 leave a choice it answers as the card of
/// 2005 does, and it has the PROPOSED commands of §9.
pub struct Card {
    identities: Vec<Identity>,
    pins: Pins,
    machine: Machine,
    pending: Pending,
    /// Whether extended APDUs are taken.
    extended_length: bool,
    selected: bool,
    /// The identity in use.
    active: Option<usize>,
    /// The identity that Get-Next-Identity names next.
    next: usize,
}

/// Answer to reset: T=1, historical bytes `TESSERA`.
pub const ATR: [u8; 11] = *b"\x3B\x87\x01TESSERA\xC1";

/// The same of a card that speaks T=0 alone; it has no check byte then.
pub const ATR_T0: [u8; 9] = *b"\x3B\x07TESSERA";

impl Card {
    /// A card with these identities, just powered on.
    pub fn new(
        identities: Vec<Identity>,
        pins: PinState,
        eeprom: Box<dyn Eeprom>,
        settings: CardSettings,
    ) -> Self {
        Self {
            identities,
            pins: Pins::new(pins, eeprom),
            machine: Machine::new(settings),
            pending: Pending::default(),
            extended_length: settings.extended_length,
            selected: false,
            active: None,
            next: 0,
        }
    }

    /// Power-off and power-on. PIN counters and the TLS session survive, nothing else does.
    pub fn reset(&mut self) {
        self.pins.forget();
        self.machine.power_off();
        self.pending.clear();
        self.selected = false;
        self.active = None;
        self.next = 0;
    }

    /// Carries out one command APDU. Bytes that are none are answered 6700, and extended ones if it
    /// takes none.
    pub fn transmit(&mut self, command: &[u8]) -> Answer {
        let decoded = match self.extended_length {
            true => CommandApdu::decode_any(command),
            false => CommandApdu::decode(command),
        };
        let reply = match decoded {
            Ok(apdu) => self.dispatch(&apdu),
            Err(_) => Reply::status(status::WRONG_LENGTH),
        };
        let response = ResponseApdu::new(reply.data, reply.sw);
        Answer::new(command, &response, self.machine.take_work())
    }

    /// The gate: what may be done before SELECT, and what before a PIN.
    fn dispatch(&mut self, command: &CommandApdu) -> Reply {
        if command.ins != INS_FETCH {
            self.pending.clear();
        }
        match command.ins {
            INS_SELECT if command.cla == CLA_SELECT => self.select(command.data()),
            _ if !self.selected => Reply::status(status::NOT_SELECTED),
            // With another class it reaches the application, which takes it and does nothing.
            INS_SELECT => Reply::status(status::OK),
            INS_VERIFY => Reply::status(self.verify(command)),
            INS_CHANGE_PIN => Reply::status(self.change_pin(command)),
            ins if !PROTECTED.contains(&ins) => Reply::status(status::UNKNOWN_INS),
            _ => match self.pins.require_either() {
                Ok(()) => self.protected(command),
                Err(refused) => Reply::status(refused),
            },
        }
    }

    fn select(&mut self, aid: &[u8]) -> Reply {
        if aid != Aid::EAP_TLS.as_bytes() {
            return Reply::status(status::UNKNOWN_APPLICATION);
        }
        self.selected = true;
        self.pins.forget();
        self.machine.reset();
        Reply::status(status::OK)
    }

    /// VERIFY is read by hand: an empty or strange PIN is no PIN to the typed command, and to the
    /// card a wrong one that costs a try.
    fn verify(&mut self, command: &CommandApdu) -> StatusWord {
        match holder(command.p2) {
            Some(holder) => self.pins.verify(holder, command.data()),
            None => status::WRONG_PARAMETERS,
        }
    }

    fn change_pin(&mut self, command: &CommandApdu) -> StatusWord {
        let Some(holder) = holder(command.p2) else {
            return status::WRONG_PARAMETERS;
        };
        match command.data().split_at_checked(PIN_LEN) {
            Some((old, new)) if new.len() == PIN_LEN => self.pins.change(holder, old, new),
            _ => status::WRONG_LENGTH,
        }
    }

    /// The commands for the bearer or the operator.
    fn protected(&mut self, command: &CommandApdu) -> Reply {
        // The card looks at neither class nor, in Process-EAP, P2.
        let mut plain = command.clone();
        plain.cla = CLA_CARD;
        if plain.ins == INS_PROCESS_EAP {
            plain.p2 = 0;
        }
        let Ok(typed) = EapCardCommand::try_from(&plain) else {
            return Reply::status(malformed(command.ins));
        };
        let wanted = command.le().unwrap_or_default();
        let done = match typed {
            EapCardCommand::SetIdentity(name) => self.set_identity(&name),
            EapCardCommand::NextIdentity => return self.next_identity(),
            EapCardCommand::CurrentIdentity => return self.current_identity(),
            EapCardCommand::State => {
                return self.answer(vec![self.machine.card_state().0]);
            }
            EapCardCommand::ResetState => {
                if self.active.is_some() {
                    self.machine.reset_state();
                }
                Ok(())
            }
            EapCardCommand::ProcessEap { more, data } => {
                return self.process_eap(command, more, &data);
            }
            EapCardCommand::ExportedParameter(index) => match self.machine.export(index) {
                Ok(value) => return self.pending.answer(value, wanted),
                Err(refused) => Err(refused),
            },
            EapCardCommand::NextHandshake(parameters) => self.machine.prepare(parameters),
            EapCardCommand::ReadCertificate => return self.read_certificate(),
            EapCardCommand::StoreSessionId(_) => {
                self.machine.overwrite_session_id();
                Ok(())
            }
            EapCardCommand::Fetch => {
                let le = command.le().and_then(|le| u16::try_from(le).ok());
                return self.pending.fetch(le);
            }
            _ => Err(status::UNKNOWN_INS),
        };
        Reply::status(done.err().unwrap_or(status::OK))
    }

    fn set_identity(&mut self, name: &IdentityName) -> Result<(), StatusWord> {
        let found = self
            .identities
            .iter()
            .enumerate()
            .find(|(_, identity)| identity.name() == name);
        let (place, identity) = found.ok_or(status::CONDITIONS)?;
        self.machine.set_identity(identity);
        self.active = Some(place);
        Ok(())
    }

    /// Goes on with the identity after the one that was set, without anybody having asked for it.
    fn take_next_identity(&mut self) {
        let next = self
            .active
            .map(|active| (active + 1) % self.identities.len().max(1));
        if let Some(identity) = next.and_then(|next| self.identities.get(next)) {
            self.machine.set_identity(identity);
            self.active = next;
        }
    }

    /// Names one identity a call and begins anew after the last.
    fn next_identity(&mut self) -> Reply {
        let name = self.identities.get(self.next).map(Identity::name).cloned();
        self.next = (self.next + 1) % self.identities.len().max(1);
        self.answer(
            name.map(|name| name.as_bytes().to_vec())
                .unwrap_or_default(),
        )
    }

    fn current_identity(&mut self) -> Reply {
        let name = self
            .active_identity()
            .map(|identity| identity.name().as_bytes().to_vec());
        self.answer(name.unwrap_or_default())
    }

    fn process_eap(&mut self, command: &CommandApdu, more: bool, segment: &[u8]) -> Reply {
        match self.machine.process(more, segment) {
            Ok(Reaction::Silence) => Reply::status(status::OK),
            Ok(Reaction::Packet(packet)) => {
                let wanted = command.le().unwrap_or_default();
                self.pending.answer_eap(Zeroizing::new(packet), wanted)
            }
            Ok(Reaction::Echo) => {
                // The fifth byte of an extended command is zero.
                let lc = u8::try_from(segment.len()).unwrap_or_default();
                self.answer(vec![command.cla, command.ins, command.p1, command.p2, lc])
            }
            Err(refused) => Reply::status(refused),
        }
    }

    fn read_certificate(&mut self) -> Reply {
        match self
            .active_identity()
            .map(|identity| identity.certificate().to_vec())
        {
            Some(der) => self.answer(der),
            None => Reply::status(status::CONDITIONS),
        }
    }

    fn active_identity(&self) -> Option<&Identity> {
        self.identities.get(self.active?)
    }

    fn answer(&mut self, data: Vec<u8>) -> Reply {
        self.pending.answer(Zeroizing::new(data), 0)
    }
}

impl Applet for Card {
    fn transmit(&mut self, command: &[u8]) -> Answer {
        self.transmit(command)
    }

    fn reset(&mut self) {
        self.reset();
    }

    fn atr(&self, protocol: Protocol) -> &'static [u8] {
        match protocol {
            Protocol::T0 => &ATR_T0,
            Protocol::T1 => &ATR,
        }
    }

    fn suffer(&mut self, fault: FaultKind) {
        if fault == FaultKind::OtherCertificate {
            self.take_next_identity();
        }
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card")
            .field("identities", &self.identities)
            .finish_non_exhaustive()
    }
}

fn holder(p2: u8) -> Option<Holder> {
    match p2 {
        0 => Some(Holder::User),
        1 => Some(Holder::Operator),
        _ => None,
    }
}

/// The status word for a known command that makes no sense.
fn malformed(ins: u8) -> StatusWord {
    match ins {
        INS_SET_IDENTITY..=INS_STATE => status::WRONG_PARAMETERS,
        INS_METHOD_FUNCTION => status::UNKNOWN_FUNCTION,
        INS_NEXT_HANDSHAKE => status::WRONG_DATA,
        _ => status::WRONG_LENGTH,
    }
}

const CLA_SELECT: u8 = 0x00;
const CLA_CARD: u8 = 0xA0;
const INS_FETCH: u8 = 0x12;
const INS_SET_IDENTITY: u8 = 0x16;
const INS_STATE: u8 = 0x19;
const INS_VERIFY: u8 = 0x20;
const INS_CHANGE_PIN: u8 = 0x24;
const INS_METHOD_FUNCTION: u8 = 0x60;
const INS_PROCESS_EAP: u8 = 0x80;
const INS_NEXT_HANDSHAKE: u8 = 0x8A;
const INS_SELECT: u8 = 0xA4;
/// Commands that need a PIN. All others but SELECT, VERIFY and CHANGE PIN are unknown.
const PROTECTED: [u8; 9] = [
    INS_FETCH,
    INS_SET_IDENTITY,
    0x17,
    0x18,
    INS_STATE,
    INS_METHOD_FUNCTION,
    INS_PROCESS_EAP,
    0x86,
    INS_NEXT_HANDSHAKE,
];
const PIN_LEN: usize = 8;

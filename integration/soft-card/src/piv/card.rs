//! The card: one command in, one answer out.

use std::collections::BTreeMap;
use std::fmt;

use proto::apdu::{Aid, ChainError, CommandApdu, CommandChain, Protocol, ResponseApdu, StatusWord};
use proto::piv::{ApplicationProperties, Discovery, ObjectTag, Slot, TlvWriter};
use zeroize::Zeroizing;

use super::key::SlotKey;
use super::manage::Manager;
use super::memory::Memory;
use super::objects::Objects;
use super::outbox::Outbox;
use super::pins::{Pins, Reference};
use super::template;
use crate::applet::{Answer, Applet};
use crate::cost::Operation;
use crate::fault::FaultKind;
use crate::output::Reply;
use crate::pin::PinState;
use crate::status;

/// A PIV card, powered on.
///
/// It owns no clock and opens no file: what must survive goes to its [`Memory`]. It takes long
/// commands as chains and in the extended form, and gives long answers in pieces (61xx) to a host
/// that asks for no more than 256 bytes at once.
///
/// Source: NIST SP 800-73-4 part 2.
pub struct PivCard {
    pub(super) keys: BTreeMap<Slot, SlotKey>,
    pub(super) objects: Objects,
    pub(super) pins: Pins,
    pub(super) manager: Manager,
    pub(super) memory: Box<dyn Memory>,
    /// What the command in hand has had the card do.
    pub(super) work: Vec<Operation>,
    /// The next signature will be a wrong one.
    pub(super) is_about_to_fail: bool,
    chain: CommandChain,
    outbox: Outbox,
    selected: bool,
    /// Whether it knows GET METADATA.
    has_metadata: bool,
}

/// Answer to reset: T=1, historical bytes `TESSPIV`.
pub const ATR_PIV: [u8; 11] = *b"\x3B\x87\x01TESSPIV\xD8";

/// The same of a card that speaks T=0 alone; it has no check byte then.
pub const ATR_PIV_T0: [u8; 9] = *b"\x3B\x07TESSPIV";

impl PivCard {
    /// A card with these keys and objects, just powered on. The PIN is in the place of the user's,
    /// the PUK in that of the operator's.
    pub fn new(
        keys: BTreeMap<Slot, SlotKey>,
        objects: Objects,
        pins: PinState,
        memory: Box<dyn Memory>,
    ) -> Self {
        Self {
            keys,
            objects,
            pins: Pins::new(pins),
            manager: Manager::default(),
            memory,
            work: Vec::new(),
            is_about_to_fail: false,
            chain: CommandChain::new(MAX_COMMAND),
            outbox: Outbox::default(),
            selected: false,
            has_metadata: false,
        }
    }

    /// The same card, which knows GET METADATA.
    #[must_use]
    pub fn with_metadata(mut self, has_metadata: bool) -> Self {
        self.has_metadata = has_metadata;
        self
    }

    /// GET RESPONSE goes on with the answer before; everything else gives that up.
    fn answer(&mut self, command: CommandApdu) -> Reply {
        // Without Le a host takes what comes in the short form: T=0 cannot say it.
        let most = command.le().unwrap_or(SHORT_ANSWER);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if command.ins == INS_GET_RESPONSE {
            return self.outbox.next(most);
        }
        self.outbox.clear();
        match self.chain.push(command) {
            Ok(None) => Reply::status(status::OK),
            Ok(Some(whole)) => {
                let reply = self.dispatch(&whole);
                self.outbox.send(reply, most)
            }
            Err(ChainError::TooLong { .. }) => Reply::status(status::WRONG_LENGTH),
            Err(ChainError::OtherCommand) => Reply::status(status::CHAIN_BROKEN),
        }
    }

    fn dispatch(&mut self, command: &CommandApdu) -> Reply {
        let pin_is_fresh = self.pins.take_fresh();
        if command.cla != CLA {
            return Reply::status(status::UNKNOWN_CLASS);
        }
        let (p1, p2, data) = (command.p1, command.p2, command.data());
        match command.ins {
            INS_SELECT => self.select(p1, data),
            _ if !self.selected => Reply::status(status::NOT_SELECTED),
            INS_VERIFY => Reply::status(self.verify(p1, p2, data)),
            INS_CHANGE_REFERENCE_DATA => Reply::status(self.change_pin(p1, p2, data)),
            INS_RESET_RETRY_COUNTER => Reply::status(self.unblock_pin(p1, p2, data)),
            INS_GET_DATA => self.get_data(p1, p2, data),
            INS_GENERAL_AUTHENTICATE => self.authenticate(p1, p2, data, pin_is_fresh),
            INS_GENERATE_KEY_PAIR => self.generate(p1, p2, data),
            INS_GET_METADATA if self.has_metadata => self.metadata(p1, p2, data),
            INS_PUT_DATA => Reply::status(self.put_data(p1, p2, data)),
            _ => Reply::status(status::UNKNOWN_INS),
        }
    }

    /// Selecting PIV again changes nothing, and neither does a name that the card does not have.
    ///
    /// Source: NIST SP 800-73-4 part 2 §3.1.1.
    fn select(&mut self, p1: u8, name: &[u8]) -> Reply {
        let whole = Aid::PIV_WITH_VERSION;
        let is_piv = name.len() >= SHORTEST_NAME && whole.as_bytes().starts_with(name);
        if p1 != BY_NAME || !is_piv {
            return Reply::status(status::UNKNOWN_APPLICATION);
        }
        self.selected = true;
        let properties = ApplicationProperties {
            identifier: whole.as_bytes().get(RID_LEN..).unwrap_or_default().to_vec(),
            label: Some(LABEL.to_vec()),
        };
        answered(properties.encode())
    }

    fn verify(&mut self, p1: u8, p2: u8, data: &[u8]) -> StatusWord {
        if Reference::from_p2(p2) != Some(Reference::Pin) {
            return status::UNKNOWN_REFERENCE;
        }
        match (p1, data) {
            (0x00, []) => self.pins.status(),
            (0x00, pin) => self.pins.verify(pin, &mut *self.memory),
            (FORGET, []) => {
                self.pins.forget();
                status::OK
            }
            _ => status::INCORRECT_PARAMETERS,
        }
    }

    fn change_pin(&mut self, p1: u8, p2: u8, data: &[u8]) -> StatusWord {
        match (p1, Reference::from_p2(p2)) {
            (0x00, Some(reference)) => self.pins.change(reference, data, &mut *self.memory),
            (0x00, None) => status::UNKNOWN_REFERENCE,
            _ => status::INCORRECT_PARAMETERS,
        }
    }

    fn unblock_pin(&mut self, p1: u8, p2: u8, data: &[u8]) -> StatusWord {
        match (p1, Reference::from_p2(p2)) {
            (0x00, Some(Reference::Pin)) => self.pins.unblock(data, &mut *self.memory),
            (0x00, _) => status::UNKNOWN_REFERENCE,
            _ => status::INCORRECT_PARAMETERS,
        }
    }

    /// Everything may be read without PIN: this card has neither pictures nor fingerprints.
    fn get_data(&self, p1: u8, p2: u8, data: &[u8]) -> Reply {
        if [p1, p2] != CURRENT_OBJECTS {
            return Reply::status(status::INCORRECT_PARAMETERS);
        }
        let tag = template::only(TAG_LIST, data).map(ObjectTag::try_from);
        let Some(Ok(tag)) = tag else {
            return Reply::status(status::WRONG_DATA);
        };
        let found = match tag {
            ObjectTag::DISCOVERY => Some(Discovery::APPLICATION_PIN.encode()),
            tag => self.objects.get(tag).map(<[u8]>::to_vec),
        };
        match found {
            Some(content) => answered(tag.wrap(&content)),
            None => Reply::status(status::UNKNOWN_OBJECT),
        }
    }

    /// What is known of a key: algorithm, when it wants PIN and touch, public part. Not of the
    /// standard; YubiKeys have it, and say as well where the key was made, which this card forgets.
    fn metadata(&self, p1: u8, p2: u8, data: &[u8]) -> Reply {
        let (0x00, [], Some(slot)) = (p1, data, Slot::from_key_reference(p2)) else {
            return Reply::status(status::INCORRECT_PARAMETERS);
        };
        let Some(key) = self.keys.get(&slot) else {
            return Reply::status(status::UNKNOWN_REFERENCE);
        };
        let pin = match slot {
            slot if slot.pin_always() => PIN_ALWAYS,
            slot if slot.needs_pin() => PIN_ONCE,
            _ => PIN_NEVER,
        };
        let said = TlvWriter::new()
            .with(0x01, &[key.algorithm().byte()])
            .with(0x02, &[pin, TOUCH_NEVER])
            .with(0x04, &key.public_part());
        answered(said.into_bytes())
    }
}

impl Applet for PivCard {
    fn transmit(&mut self, command: &[u8]) -> Answer {
        let reply = match CommandApdu::decode_any(command) {
            Ok(apdu) => self.answer(apdu),
            Err(_) => Reply::status(status::WRONG_LENGTH),
        };
        let response = ResponseApdu::new(reply.data, reply.sw);
        Answer::new(command, &response, std::mem::take(&mut self.work))
    }

    fn reset(&mut self) {
        self.pins.forget();
        self.manager.forget();
        self.chain.clear();
        self.outbox.clear();
        self.selected = false;
    }

    fn atr(&self, protocol: Protocol) -> &'static [u8] {
        match protocol {
            Protocol::T0 => &ATR_PIV_T0,
            Protocol::T1 => &ATR_PIV,
        }
    }

    fn suffer(&mut self, fault: FaultKind) {
        match fault {
            FaultKind::PinForgotten => self.pins.forget(),
            FaultKind::WrongSignature => self.is_about_to_fail = true,
            _ => {}
        }
    }
}

impl fmt::Debug for PivCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PivCard")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// Data, and 9000.
pub(super) fn answered(data: Vec<u8>) -> Reply {
    Reply {
        data: Zeroizing::new(data),
        sw: status::OK,
    }
}

/// P1 and P2 of GET DATA and PUT DATA.
pub(super) const CURRENT_OBJECTS: [u8; 2] = [0x3F, 0xFF];
/// The tag in front of the name of a data object.
pub(super) const TAG_LIST: u32 = 0x5C;

/// Room for a certificate of 4 KiB and what is around it.
const MAX_COMMAND: usize = Objects::MAX_LEN + 64;
const SHORT_ANSWER: u32 = 256;
const CLA: u8 = 0x00;
/// SELECT by name, the first that fits.
const BY_NAME: u8 = 0x04;
/// P1 of VERIFY that takes back what was verified.
const FORGET: u8 = 0xFF;
/// A name may be cut on its right, but not into the registered identifier and what makes it PIV.
const SHORTEST_NAME: usize = 9;
const RID_LEN: usize = 5;
const LABEL: &[u8] = b"Tessera soft card";
const INS_VERIFY: u8 = 0x20;
const INS_CHANGE_REFERENCE_DATA: u8 = 0x24;
const INS_RESET_RETRY_COUNTER: u8 = 0x2C;
const INS_GENERATE_KEY_PAIR: u8 = 0x47;
const INS_GENERAL_AUTHENTICATE: u8 = 0x87;
const INS_SELECT: u8 = 0xA4;
const INS_GET_RESPONSE: u8 = 0xC0;
const INS_GET_DATA: u8 = 0xCB;
const INS_PUT_DATA: u8 = 0xDB;
const INS_GET_METADATA: u8 = 0xF7;
const PIN_NEVER: u8 = 1;
const PIN_ONCE: u8 = 2;
const PIN_ALWAYS: u8 = 3;
const TOUCH_NEVER: u8 = 1;

//! The driver of PIV cards against a card made of switches, and against whatever bytes a card may send.
#![cfg(feature = "piv-driver")]

mod fake_card;

mod hostile;
mod opening;
mod pin;
mod signing;

use std::cell::RefCell;

use proto::apdu::{Aid, CommandApdu, ResponseApdu, StatusWord};
use proto::card::Pin;
use proto::piv::driver::{
    Inventory, Opened, PinKeeper, PivFault, SignRequest, opening as opens, run, signing as signs,
    verification,
};
use proto::piv::{RetiredSlot, SignatureForm, Slot};

use self::fake_card::FakePivCard;

const MESSAGE: &[u8] = b"what is signed";

/// The PIN, and what became of it so far.
#[derive(Default)]
struct Keeper {
    account: RefCell<Vec<&'static str>>,
}

impl PinKeeper for Keeper {
    type Error = PivFault;

    fn pin_to_send(&self) -> Result<Pin, PivFault> {
        self.account.borrow_mut().push("attempt");
        Ok(Pin::new(b"123456").expect("a PIN"))
    }

    fn accepted(&self) -> Result<(), PivFault> {
        self.account.borrow_mut().push("accepted");
        Ok(())
    }
}

/// What is in the inventory of a card just powered up, without its PIN.
fn look_into(card: &mut FakePivCard, inventory: Inventory) -> Result<Opened, PivFault> {
    card.reset();
    let begun = opens::begin(inventory);
    run(begun, &Keeper::default(), |_, command| {
        Ok(card.transmit(command))
    })
}

/// All of the card, and its PIN.
fn open(card: &mut FakePivCard) -> Result<Opened, PivFault> {
    let opened = look_into(card, Inventory::all(Aid::PIV))?;
    verify(card, &opened).map(|()| opened)
}

fn verify(card: &mut FakePivCard, opened: &Opened) -> Result<(), PivFault> {
    let begun = verification::begin(opened.pin);
    run(begun, &Keeper::default(), |_, command| {
        Ok(card.transmit(command))
    })
}

fn request(opened: &Opened, slot: Slot, form: SignatureForm) -> Option<SignRequest> {
    let key = opened.key(slot).expect("a key").key.clone();
    SignRequest::new(key, opened.pin, form, MESSAGE.to_vec(), &[0x5A; 64])
}

/// A signature on a card whose PIN was verified.
fn sign(
    card: &mut FakePivCard,
    opened: &Opened,
    slot: Slot,
    form: SignatureForm,
) -> Result<Vec<u8>, PivFault> {
    let request = request(opened, slot, form).expect("a form of the key");
    sign_as(card, request.pin_verified(), false)
}

fn sign_as(
    card: &mut FakePivCard,
    request: SignRequest,
    extended: bool,
) -> Result<Vec<u8>, PivFault> {
    card.messages = vec![MESSAGE.to_vec()];
    let begun = signs::begin(request, extended);
    let signature = run(begun, &Keeper::default(), |_, command| {
        Ok::<_, PivFault>(card.transmit(command))
    });
    signature?.checked()
}

fn retired(number: u8) -> Slot {
    Slot::Retired(RetiredSlot::new(number).expect("1 to 20"))
}

fn response(sw: u16, data: &[u8]) -> ResponseApdu {
    ResponseApdu::new(data.to_vec(), StatusWord(sw))
}

fn is_pin(command: &CommandApdu) -> bool {
    command.ins == 0x20 && !command.data().is_empty()
}

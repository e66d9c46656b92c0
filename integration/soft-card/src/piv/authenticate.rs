//! GENERAL AUTHENTICATE: signatures, and the proof of who manages the card.

use proto::apdu::StatusWord;
use proto::piv::Slot;

use super::card::{PivCard, answered};
use super::manage::MANAGEMENT_KEY;
use super::template::{self, Template};
use crate::cost::Operation;
use crate::output::Reply;
use crate::status;

impl PivCard {
    /// Carries out the command: `algorithm` is P1, `reference` P2.
    ///
    /// Source: NIST SP 800-73-4 part 2 §3.2.4.
    pub(super) fn authenticate(
        &mut self,
        algorithm: u8,
        reference: u8,
        data: &[u8],
        pin_is_fresh: bool,
    ) -> Reply {
        let Some(asked) = Template::read(data) else {
            return Reply::status(status::WRONG_DATA);
        };
        let done = match (reference, Slot::from_key_reference(reference)) {
            (MANAGEMENT_KEY, _) => self.manager.authenticate(algorithm, asked),
            (_, Some(slot)) => self.sign(algorithm, slot, asked, pin_is_fresh),
            (_, None) => Err(status::UNKNOWN_REFERENCE),
        };
        done.map_or_else(Reply::status, answered)
    }

    /// An empty response asks for what the key makes of the challenge.
    fn sign(
        &mut self,
        algorithm: u8,
        slot: Slot,
        asked: Template<'_>,
        pin_is_fresh: bool,
    ) -> Result<Vec<u8>, StatusWord> {
        let key = self.keys.get(&slot).ok_or(status::UNKNOWN_REFERENCE)?;
        if key.algorithm().byte() != algorithm {
            return Err(status::INCORRECT_PARAMETERS);
        }
        let is_open = match slot {
            slot if slot.pin_always() => pin_is_fresh && self.pins.is_verified(),
            slot => self.pins.is_verified() || !slot.needs_pin(),
        };
        if !is_open {
            return Err(status::SECURITY_STATUS);
        }
        let (Some(challenge), Some([]), None) = (asked.challenge, asked.response, asked.witness)
        else {
            return Err(status::WRONG_DATA);
        };
        let mut signature = key.sign(challenge).map_err(|_| status::WRONG_DATA)?;
        if let (true, Some(last)) = (self.is_about_to_fail, signature.last_mut()) {
            self.is_about_to_fail = false;
            *last ^= 1;
        }
        self.work.push(Operation::PrivateKey);
        Ok(template::response(&signature))
    }
}

//! How a PIN stands, asked while the card is idle. No try is spent on it.

use proto::apdu::CommandApdu;
use proto::card::Pin;
use proto::piv::driver::{self, Inventory, PinKeeper};
use proto::piv::{PinLook, PinReference};
use tracing::warn;

use super::life::{Phase, Ready, Worker};
use super::link::Link;
use super::opening::OpenCard;
use crate::card::error::CardError;
use crate::card::fault::CardStep;
use crate::card::profile::{CardProfile, PivProfile};
use crate::card::report::PinInquiry;

impl Worker {
    /// Asks a PIV card that is ready, or that only lacks its PIN. All others are left alone: to an
    /// EAP-TLS card VERIFY without a PIN is a wrong one.
    pub(super) fn look_at_pin(&mut self, inquiry: PinInquiry) {
        let CardProfile::Piv(profile) = &self.settings.profile else {
            return;
        };
        let seen = match &mut self.phase {
            Phase::Ready(Ready {
                link,
                opened: OpenCard::Piv(opened),
                ..
            }) => look(link, opened.pin),
            Phase::Unusable { link, why, .. } if why.is_about_pin() => open_and_look(link, profile),
            _ => return,
        };
        match seen {
            Ok(seen) => inquiry.answer(seen),
            Err(error) => {
                warn!(seid = %self.settings.seid, %error, "the card does not show how its PIN stands");
                // One that cannot be used is tried again by itself.
                if let Phase::Ready(_) = self.phase
                    && let Phase::Ready(ready) = self.take_phase()
                {
                    self.recover(ready.link, Some(ready.opened));
                }
            }
        }
    }
}

/// Selects the application first, so that only a PIV card is asked.
fn open_and_look(link: &mut Link, profile: &PivProfile) -> Result<PinLook, CardError> {
    let no_keys = Inventory {
        aid: profile.aid,
        metadata: None,
        chuid: false,
        slots: Vec::new(),
    };
    let begun = driver::opening::begin(no_keys);
    let opened = driver::run(begun, &NoPin, |step, command: &CommandApdu| {
        link.transmit_step(command, CardStep::Piv(step))
    })?;
    look(link, opened.pin)
}

fn look(link: &mut Link, reference: PinReference) -> Result<PinLook, CardError> {
    let begun = driver::look::begin(reference);
    driver::run(begun, &NoPin, |step, command: &CommandApdu| {
        link.transmit_step(command, CardStep::Piv(step))
    })
}

/// There is none to send.
struct NoPin;

impl PinKeeper for NoPin {
    type Error = CardError;

    fn pin_to_send(&self) -> Result<Pin, CardError> {
        Err(CardError::PinMissing)
    }

    fn accepted(&self) -> Result<(), CardError> {
        Ok(())
    }
}

//! Which card is the right one, and what the operator says about it.

use super::life::{Phase, Worker};
use super::link::Link;
use super::opening::{Driver, Expected, OpenCard, fresh_pin, open};
use crate::card::adopted::AdoptedCard;
use crate::card::error::CardError;
use crate::card::fingerprint::CardFingerprint;
use crate::card::pin::PinSource;
use crate::card::report::{Reopen, WorkerReport};
use crate::card::transport::TransportError;

/// A card that is open and is the right one.
pub(super) struct Found {
    pub(super) opened: OpenCard,
    pub(super) fingerprint: CardFingerprint,
    /// Whether it became the right one just now.
    pub(super) adopted: bool,
}

impl Worker {
    /// Opens a card if it is the one that was adopted. Adopts it if the operator says so, or if it
    /// is the first one where the configuration describes a card.
    pub(super) fn open_or_adopt(
        &self,
        link: &mut Link,
        stand_in: [u8; 32],
        order: Reopen,
    ) -> Result<Found, CardError> {
        let seid = &self.settings.seid;
        let known = self.records.adopted.of(seid);
        if known.is_none() && !order.adopt && !self.settings.configured {
            let seid = seid.clone();
            return Err(CardError::NotAdopted { seid });
        }
        let (fingerprint, kept_pin) =
            known.map_or((None, None), |card| (Some(card.fingerprint), card.pin_file));
        // What the configuration says has the first word, and is not kept twice.
        let configured = self.settings.pin.clone();
        let pin_file = order.pin_file.or(kept_pin);
        let pin_file = pin_file.filter(|_| configured.is_none());
        let pin = configured.or_else(|| pin_file.clone().map(PinSource::File));
        let expected = Expected {
            seid,
            pin: pin.as_ref(),
            pin_characters: self.settings.profile.pin_characters(),
            fingerprint: fingerprint.as_ref().filter(|_| !order.adopt),
        };
        let ledger = self.records.pins.as_ref();
        let driver = Driver::new(&self.settings.profile, stand_in);
        let (opened, found) = open(link, driver, &expected, ledger)?;
        let adopted = fingerprint.as_ref() != Some(&found);
        let card = AdoptedCard {
            fingerprint: found.clone(),
            pin_file,
        };
        self.records.adopted.adopt(seid, card)?;
        Ok(Found {
            opened,
            fingerprint: found,
            adopted,
        })
    }

    /// Opens the card again, as the operator says.
    pub(super) fn reopen(&mut self, order: Reopen) {
        let result = self.try_reopen(order);
        self.tell(WorkerReport::Reopened { result });
    }

    fn try_reopen(&mut self, order: Reopen) -> Result<(), CardError> {
        if order.retry_pin {
            self.records.pins.allow_again(&self.settings.seid)?;
        }
        let mut link = match self.take_phase() {
            Phase::Absent { look_again } => {
                self.phase = Phase::Absent { look_again };
                return Err(TransportError::Removed.into());
            }
            Phase::Unusable { link, .. } => link,
            Phase::Ready(ready) => ready.link,
        };
        if let Err(error) = link.cold_reset() {
            let error = CardError::from(error);
            self.lose(error.clone());
            return Err(error);
        }
        self.told = None;
        self.open_as(link, None, order);
        match &self.phase {
            Phase::Ready(_) => Ok(()),
            Phase::Unusable { why, .. } => Err(why.clone()),
            Phase::Absent { .. } => Err(TransportError::Removed.into()),
        }
    }

    /// Whether there is a PIN now that may be tried.
    pub(super) fn has_fresh_pin(&self) -> bool {
        let pin = self.records.pin_source(&self.settings);
        let expected = Expected {
            seid: &self.settings.seid,
            pin: pin.as_ref(),
            pin_characters: self.settings.profile.pin_characters(),
            fingerprint: None,
        };
        fresh_pin(&expected, self.records.pins.as_ref()).is_ok()
    }
}

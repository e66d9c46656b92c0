//! Opening a card with its PIN: at most one attempt, on record before it is made.

use proto::id::Seid;

use super::link::Link;
use crate::card::eap_tls::DriverParameters;
use crate::card::eap_tls::opening::{self, Opened, Step};
use crate::card::error::CardError;
use crate::card::fingerprint::{CardFingerprint, Difference, Sight};
use crate::card::pin::{OfferedPin, PinLedger, PinSource};

/// What is known of a card before it is opened.
pub(super) struct Expected<'a> {
    pub(super) seid: &'a Seid,
    /// Where its PIN is.
    pub(super) pin: Option<&'a PinSource>,
    /// The card it has to be; `None` when any card is right.
    pub(super) fingerprint: Option<&'a CardFingerprint>,
}

/// Opens the card behind `link`.
pub(super) fn open(
    link: &mut Link,
    parameters: DriverParameters,
    expected: &Expected<'_>,
    ledger: &dyn PinLedger,
) -> Result<(Opened, CardFingerprint), CardError> {
    let mut step = opening::begin(parameters)?;
    loop {
        step = match step {
            Step::Transmit(opening, command) => {
                let response = link.transmit_step(&command, opening.step())?;
                opening.on_response(response)?
            }
            Step::NeedPin(opening) => {
                let sight = Sight::new(link.transport.atr(), opening.application());
                expected.check(|known| known.difference_at_sight(&sight))?;
                let pin = fresh_pin(expected, ledger)?;
                ledger.record_attempt(expected.seid, &pin)?;
                opening.with_pin(&pin.pin)?
            }
            Step::PinAccepted(opening) => {
                ledger.record_accepted(expected.seid)?;
                opening.proceed()?
            }
            Step::Opened(opened) => {
                let sight = Sight::new(link.transport.atr(), &opened.application);
                let fingerprint = sight.with_identities(&opened.identities);
                expected.check(|known| known.difference(&fingerprint))?;
                return Ok((opened, fingerprint));
            }
        };
    }
}

impl Expected<'_> {
    fn check(
        &self,
        difference: impl FnOnce(&CardFingerprint) -> Option<Difference>,
    ) -> Result<(), CardError> {
        match self.fingerprint.and_then(difference) {
            None => Ok(()),
            Some(difference) => Err(CardError::UnknownCard {
                seid: self.seid.clone(),
                difference,
            }),
        }
    }
}

/// The PIN, if it may be sent.
pub(super) fn fresh_pin(
    expected: &Expected<'_>,
    ledger: &dyn PinLedger,
) -> Result<OfferedPin, CardError> {
    let pin = expected.pin.ok_or(CardError::PinMissing)?.read()?;
    if !ledger.may_verify(expected.seid, &pin)? {
        return Err(CardError::PinSpent);
    }
    Ok(pin)
}

//! Opening a card with its PIN: at most one attempt, on record before it is made.

use super::link::Link;
use crate::card::eap_tls::DriverParameters;
use crate::card::eap_tls::opening::{self, Opened, Step};
use crate::card::error::CardError;
use crate::card::pin::{OfferedPin, PinLedger};
use crate::card::settings::CardSettings;

/// Opens the card behind `link`.
pub(super) fn open(
    link: &mut Link,
    parameters: DriverParameters,
    settings: &CardSettings,
    ledger: &dyn PinLedger,
) -> Result<Opened, CardError> {
    let mut step = opening::begin(parameters)?;
    loop {
        step = match step {
            Step::Transmit(opening, command) => {
                let response = link.transmit_step(&command, opening.step())?;
                opening.on_response(response)?
            }
            Step::NeedPin(opening) => {
                let pin = fresh_pin(settings, ledger)?;
                ledger.record_attempt(&settings.seid, &pin)?;
                opening.with_pin(&pin.pin)?
            }
            Step::PinAccepted(opening) => {
                ledger.record_accepted(&settings.seid)?;
                opening.proceed()?
            }
            Step::Opened(opened) => return Ok(opened),
        };
    }
}

/// The PIN, if it may be sent.
pub(super) fn fresh_pin(
    settings: &CardSettings,
    ledger: &dyn PinLedger,
) -> Result<OfferedPin, CardError> {
    let pin = settings.pin.as_ref().ok_or(CardError::PinMissing)?.read()?;
    if !ledger.may_verify(&settings.seid, &pin)? {
        return Err(CardError::PinSpent);
    }
    Ok(pin)
}

//! Opening a card with its PIN: at most one attempt, on record before it is made.

use std::time::{SystemTime, UNIX_EPOCH};

use proto::apdu::Atr;
use proto::card::Pin;
use proto::id::Seid;

use super::link::Link;
use crate::card::eap_tls::{DriverParameters, opening as eap_tls};
use crate::card::error::CardError;
use crate::card::fingerprint::{CardFingerprint, Difference, Sight};
use crate::card::pin::{OfferedPin, PinLedger, PinSource};
use crate::card::piv::{PivParameters, opening as piv};
use crate::card::profile::{CardProfile, EapTlsProfile};
use crate::card::report::{CardFeatures, CardIdentity};

/// What is known of a card before it is opened.
pub(super) struct Expected<'a> {
    pub(super) seid: &'a Seid,
    /// Where its PIN is.
    pub(super) pin: Option<&'a PinSource>,
    /// The card it has to be; `None` when any card is right.
    pub(super) fingerprint: Option<&'a CardFingerprint>,
}

/// How to speak to the card.
pub(super) enum Driver {
    EapTls(DriverParameters),
    Piv(PivParameters),
}

impl Driver {
    /// For a card of this profile. `stand_in` is what an EAP-TLS card offers instead of a session it
    /// was made to forget.
    pub(super) fn new(profile: &CardProfile, stand_in: [u8; 32]) -> Self {
        match profile {
            CardProfile::EapTls(profile) => Self::EapTls(parameters(profile, stand_in)),
            CardProfile::Piv(profile) => Self::Piv(PivParameters::new(profile.clone())),
        }
    }
}

pub(super) fn parameters(profile: &EapTlsProfile, stand_in: [u8; 32]) -> DriverParameters {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let unix_time = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
    // Any identifier will do: it only has to differ from packet to packet.
    let first_identifier = stand_in[0];
    DriverParameters::new(profile.clone(), first_identifier, unix_time, stand_in)
}

/// A card that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OpenCard {
    EapTls(eap_tls::Opened),
    Piv(piv::Opened),
}

/// Opens the card behind `link`.
pub(super) fn open(
    link: &mut Link,
    driver: Driver,
    expected: &Expected<'_>,
    ledger: &dyn PinLedger,
) -> Result<(OpenCard, CardFingerprint), CardError> {
    let opened = match driver {
        Driver::EapTls(parameters) => open_eap_tls(link, parameters, expected, ledger)?,
        Driver::Piv(parameters) => open_piv(link, parameters, expected, ledger)?,
    };
    let fingerprint = opened.fingerprint(link.transport.atr());
    expected.check(|known| known.difference(&fingerprint))?;
    Ok((opened, fingerprint))
}

fn open_eap_tls(
    link: &mut Link,
    parameters: DriverParameters,
    expected: &Expected<'_>,
    ledger: &dyn PinLedger,
) -> Result<OpenCard, CardError> {
    let mut step = eap_tls::begin(parameters)?;
    loop {
        step = match step {
            eap_tls::Step::Transmit(opening, command) => {
                let response = link.transmit_step(&command, opening.step())?;
                opening.on_response(response)?
            }
            eap_tls::Step::NeedPin(opening) => {
                let sight = Sight::new(link.transport.atr(), opening.application());
                expected.check(|known| known.difference_at_sight(&sight))?;
                opening.with_pin(&pin_to_send(expected, ledger)?)?
            }
            eap_tls::Step::PinAccepted(opening) => {
                ledger.record_accepted(expected.seid)?;
                opening.proceed()?
            }
            eap_tls::Step::Opened(opened) => return Ok(OpenCard::EapTls(opened)),
        };
    }
}

fn open_piv(
    link: &mut Link,
    parameters: PivParameters,
    expected: &Expected<'_>,
    ledger: &dyn PinLedger,
) -> Result<OpenCard, CardError> {
    let mut step = piv::begin(parameters)?;
    loop {
        step = match step {
            piv::Step::Transmit(opening, command) => {
                let response = link.transmit_step(&command, opening.step())?;
                opening.on_response(response)?
            }
            piv::Step::NeedPin(opening) => {
                let fingerprint = fingerprint_of_piv(link.transport.atr(), opening.seen());
                expected.check(|known| known.difference(&fingerprint))?;
                opening.with_pin(&pin_to_send(expected, ledger)?)?
            }
            piv::Step::PinAccepted(opening) => {
                ledger.record_accepted(expected.seid)?;
                opening.proceed()?
            }
            piv::Step::Opened(opened) => return Ok(OpenCard::Piv(opened)),
        };
    }
}

impl OpenCard {
    /// What it holds.
    pub(super) fn identities(&self) -> Vec<CardIdentity> {
        match self {
            Self::EapTls(opened) => opened.identities.clone(),
            Self::Piv(opened) => opened.identities(),
        }
    }

    /// What it can carry.
    pub(super) fn features(&self) -> CardFeatures {
        match self {
            Self::EapTls(opened) => opened.capabilities.into(),
            Self::Piv(_) => CardFeatures::PIV,
        }
    }

    fn fingerprint(&self, atr: &Atr) -> CardFingerprint {
        match self {
            Self::EapTls(opened) => {
                Sight::new(atr, &opened.application).with_identities(&opened.identities)
            }
            Self::Piv(opened) => fingerprint_of_piv(atr, opened),
        }
    }
}

fn fingerprint_of_piv(atr: &Atr, opened: &piv::Opened) -> CardFingerprint {
    Sight::new(atr, &opened.application)
        .with_chuid(opened.chuid.as_ref())
        .with_identities(&opened.identities())
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

/// The PIN, if it may be sent, once the attempt is on record.
pub(super) fn pin_to_send(
    expected: &Expected<'_>,
    ledger: &dyn PinLedger,
) -> Result<Pin, CardError> {
    let offered = fresh_pin(expected, ledger)?;
    ledger.record_attempt(expected.seid, &offered)?;
    Ok(offered.pin)
}

//! Opening a card with its PIN: at most one attempt, on record before it is made.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use proto::apdu::{Atr, CommandApdu};
use proto::card::{Pin, PinCharacters};
use proto::id::Seid;
use proto::piv::driver::{self, Inventory, Opened as PivOpened, PinKeeper};
use sha2::{Digest, Sha256};
use tracing::warn;

use super::link::Link;
use crate::card::eap_tls::{DriverParameters, opening as eap_tls};
use crate::card::error::CardError;
use crate::card::fault::CardStep;
use crate::card::fingerprint::{CardFingerprint, Difference, Sight};
use crate::card::pin::{OfferedPin, PinLedger, PinSource};
use crate::card::piv;
use crate::card::profile::{CardProfile, EapTlsProfile, PivProfile};
use crate::card::report::{CardFeatures, CardIdentity};

/// What is known of a card before it is opened.
pub(super) struct Expected<'a> {
    pub(super) seid: &'a Seid,
    /// Where its PIN is.
    pub(super) pin: Option<&'a PinSource>,
    /// Which characters it may have.
    pub(super) pin_characters: PinCharacters,
    /// The card it has to be; `None` when any card is right.
    pub(super) fingerprint: Option<&'a CardFingerprint>,
}

/// How to speak to the card.
pub(super) enum Driver {
    EapTls(DriverParameters),
    Piv(PivProfile),
}

impl Driver {
    /// For a card of this profile. `stand_in` is what an EAP-TLS card offers instead of a session it
    /// was made to forget.
    pub(super) fn new(profile: &CardProfile, stand_in: [u8; 32]) -> Self {
        match profile {
            CardProfile::EapTls(profile) => Self::EapTls(parameters(profile, stand_in)),
            CardProfile::Piv(profile) => Self::Piv(profile.clone()),
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
    Piv(PivOpened),
}

/// Opens the card behind `link`.
pub(super) fn open(
    link: &mut Link,
    driver: Driver,
    expected: &Expected<'_>,
    ledger: &dyn PinLedger,
) -> Result<(OpenCard, CardFingerprint), CardError> {
    let keeper = RecordedPin::new(expected, ledger);
    let opened = match driver {
        Driver::EapTls(parameters) => open_eap_tls(link, parameters, &keeper),
        Driver::Piv(profile) => open_piv(link, &profile, &keeper),
    };
    let opened = opened.inspect_err(|error| keeper.note_refusal(error))?;
    let fingerprint = opened.fingerprint(link.transport.atr());
    expected.check(|known| known.difference(&fingerprint))?;
    Ok((opened, fingerprint))
}

fn open_eap_tls(
    link: &mut Link,
    parameters: DriverParameters,
    keeper: &RecordedPin<'_>,
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
                (keeper.expected).check(|known| known.difference_at_sight(&sight))?;
                opening.with_pin(&keeper.pin_to_send()?)?
            }
            eap_tls::Step::PinAccepted(opening) => {
                keeper.accepted()?;
                opening.proceed()?
            }
            eap_tls::Step::Opened(opened) => return Ok(OpenCard::EapTls(opened)),
        };
    }
}

/// All that tells one card from another is read before the PIN is asked for. A card whose keys all do
/// without PIN is asked for nothing.
fn open_piv(
    link: &mut Link,
    profile: &PivProfile,
    keeper: &RecordedPin<'_>,
) -> Result<OpenCard, CardError> {
    let atr = link.transport.atr().clone();
    let mut transmit =
        |step, command: &CommandApdu| link.transmit_step(command, CardStep::Piv(step));
    let begun = driver::opening::begin(Inventory::all(profile.aid));
    let mut opened: PivOpened = driver::run(begun, keeper, &mut transmit)?;
    let unused = piv::set_aside(&mut opened);
    for key in &unused {
        warn!(seid = %keeper.expected.seid, "{key}");
    }
    if opened.keys.is_empty() {
        let first = unused.into_iter().next();
        return Err(first.map_or(CardError::NoIdentity, CardError::UnusedKey));
    }
    if opened.keys.iter().any(|held| held.key.slot().needs_pin()) {
        let fingerprint = fingerprint_of_piv(&atr, &opened);
        (keeper.expected).check(|known| known.difference(&fingerprint))?;
        let begun = driver::verification::begin(opened.pin);
        driver::run(begun, keeper, transmit)?;
    }
    Ok(OpenCard::Piv(opened))
}

impl OpenCard {
    /// What it holds.
    pub(super) fn identities(&self) -> Vec<CardIdentity> {
        match self {
            Self::EapTls(opened) => opened.identities.clone(),
            Self::Piv(opened) => piv::identities(opened),
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

fn fingerprint_of_piv(atr: &Atr, opened: &PivOpened) -> CardFingerprint {
    let sha256 = |data: &Vec<u8>| Sha256::digest(data).into();
    Sight::new(atr, &sha256(&opened.application))
        .with_chuid(opened.chuid.as_ref().map(sha256).as_ref())
        .with_identities(&piv::identities(opened))
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
    let source = expected.pin.ok_or(CardError::PinMissing)?;
    let pin = source.read(expected.pin_characters)?;
    if !ledger.may_verify(expected.seid, &pin)? {
        return Err(CardError::PinSpent);
    }
    Ok(pin)
}

/// The PIN of a card, with its account.
pub(super) struct RecordedPin<'a> {
    expected: &'a Expected<'a>,
    ledger: &'a dyn PinLedger,
    /// Whether it was given away and is not known to be accepted.
    is_under_way: Cell<bool>,
}

impl<'a> RecordedPin<'a> {
    pub(super) fn new(expected: &'a Expected<'a>, ledger: &'a dyn PinLedger) -> Self {
        Self {
            expected,
            ledger,
            is_under_way: Cell::new(false),
        }
    }

    /// Notes that the card said no to the PIN, if that is what it did. When that cannot be written the
    /// attempt counts as failed all the same.
    pub(super) fn note_refusal(&self, error: &CardError) {
        let is_refusal = matches!(error, CardError::PinRejected { .. } | CardError::PinBlocked);
        if is_refusal
            && self.is_under_way.take()
            && let Err(error) = self.ledger.record_refused(self.expected.seid)
        {
            let seid = self.expected.seid;
            warn!(%seid, %error, "it is not noted that the card refused its PIN");
        }
    }
}

impl PinKeeper for RecordedPin<'_> {
    type Error = CardError;

    fn pin_to_send(&self) -> Result<Pin, CardError> {
        let offered = fresh_pin(self.expected, self.ledger)?;
        self.ledger.record_attempt(self.expected.seid, &offered)?;
        self.is_under_way.set(true);
        Ok(offered.pin)
    }

    fn accepted(&self) -> Result<(), CardError> {
        self.is_under_way.set(false);
        Ok(self.ledger.record_accepted(self.expected.seid)?)
    }
}

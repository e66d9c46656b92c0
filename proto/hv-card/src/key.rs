//! The key, as what signs for an HV.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto::card::Pin;
use proto::hv::{HvCertificate, HvSigner, SignError};
use proto::piv::Salt;
use proto::token::SignatureAlgorithm;
use ring::rand::{SecureRandom, SystemRandom};

use crate::fault::{HvCardError, KeyFault};
use crate::link::{CardLink, LinkError};
use crate::name::CardKeyName;
use crate::opening::{self, Opened};
use crate::signing;

/// Who has the PIN of the card, and keeps account of it.
pub trait PinKeeper: Send + Sync {
    /// The PIN, which is about to be sent: the attempt is on record when this returns, where there is
    /// a record.
    ///
    /// # Errors
    /// [`PinRefused`] when there is none, or it must not be sent.
    fn pin_to_send(&self) -> Result<Pin, PinRefused>;

    /// The card accepted it.
    ///
    /// # Errors
    /// [`PinRefused`] when that cannot be recorded; nothing is signed then.
    fn accepted(&self) -> Result<(), PinRefused>;
}

/// Why no PIN is sent. Nothing of it is in here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PinRefused(pub String);

/// A key in a card that was found in its reader, recognised, and is held until this is dropped.
pub struct HvCardKey {
    name: CardKeyName,
    opened: Opened,
    keeper: Box<dyn PinKeeper>,
    link: Mutex<CardLink>,
    /// Why the last signature was not made.
    fault: Mutex<Option<HvCardError>>,
}

impl HvCardKey {
    /// Finds the key, which must be that of `certificate`. Waits up to `patience` for another program
    /// to let the card go; with `for_arrival` for reader and card to come, too. No PIN is sent.
    ///
    /// # Errors
    /// [`HvCardError`] when the card is not there, or its slot holds another key.
    pub fn open(
        name: &CardKeyName,
        certificate: &HvCertificate,
        keeper: Box<dyn PinKeeper>,
        patience: Duration,
        for_arrival: bool,
    ) -> Result<Self, HvCardError> {
        let at = |fault: KeyFault| HvCardError {
            name: name.clone(),
            fault,
        };
        let link = CardLink::connect(name.reader(), patience, for_arrival);
        let mut link = link.map_err(|error| at(error.into()))?;
        let opened = open(&mut link, name).map_err(at)?;
        if opened.certificate.spki_der() != certificate.spki_der() {
            return Err(at(KeyFault::OtherKey {
                slot: opened.slot,
                kind: opened.certificate.key().to_string(),
            }));
        }
        Ok(Self {
            name: name.clone(),
            opened,
            keeper,
            link: Mutex::new(link),
            fault: Mutex::default(),
        })
    }

    /// Why the last signature was not made, in more detail than [`SignError`] has.
    #[must_use]
    pub fn take_fault(&self) -> Option<HvCardError> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.take()
    }

    fn signature(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyFault> {
        let mut salt: Salt = [0; 64];
        let filled = SystemRandom::new().fill(&mut salt);
        filled.map_err(|_| KeyFault::NoRandomness)?;
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let mut step = signing::begin(&self.opened, algorithm, message, &salt)?;
        loop {
            step = match step {
                signing::Step::Transmit(signing, command) => {
                    signing.on_response(link.transmit(&command)?)?
                }
                signing::Step::NeedPin(signing) => signing.with_pin(&self.keeper.pin_to_send()?),
                signing::Step::PinAccepted(signing) => {
                    self.keeper.accepted()?;
                    signing.proceed()
                }
                signing::Step::Signed(signature) => return Ok(signature),
            };
        }
    }
}

fn open(link: &mut CardLink, name: &CardKeyName) -> Result<Opened, KeyFault> {
    let mut step = opening::begin(name.slot());
    loop {
        step = match step {
            opening::Step::Transmit(opening, command) => {
                let response: Result<_, LinkError> = link.transmit(&command);
                opening.on_response(response?)?
            }
            opening::Step::Opened(opened) => return Ok(opened),
        };
    }
}

impl HvSigner for HvCardKey {
    fn spki_der(&self) -> &[u8] {
        self.opened.certificate.spki_der()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        self.opened.certificate.key().algorithms()
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signature(algorithm, message).map_err(|fault| {
            if let KeyFault::Algorithm { algorithm, .. } = fault {
                return SignError::Algorithm(algorithm);
            }
            let name = self.name.clone();
            let error = HvCardError { name, fault };
            let said = SignError::Key(error.to_string());
            let mut last = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(error);
            said
        })
    }
}

impl fmt::Debug for HvCardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HvCardKey({})", self.name)
    }
}

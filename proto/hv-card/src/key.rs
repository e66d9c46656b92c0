//! The key, as what signs for an HV.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto::hv::{HvCertificate, HvPublicKey, HvSigner, SignError};
use proto::piv::Salt;
use proto::piv::driver::PinKeeper;
use proto::token::SignatureAlgorithm;
use ring::rand::{SecureRandom, SystemRandom};

use crate::fault::{HvCardError, KeyFault};
use crate::link::{CardLink, Readers};
use crate::name::CardKeyName;
use crate::opening::{self, KeySource, Opened, Stated, Wanted};
use crate::signing;

/// Who has the PIN of the card with the HV key, and keeps account of it.
pub type HvPinKeeper = dyn PinKeeper<Error = PinRefused> + Send + Sync;

/// Why no PIN is sent, or nothing is signed with it. Nothing of it is in here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PinRefused(pub String);

/// A key in a card that was found in its reader, recognised, and is held until this is dropped.
pub struct HvCardKey {
    name: CardKeyName,
    opened: Opened,
    keeper: Box<HvPinKeeper>,
    link: Mutex<Box<dyn CardLink>>,
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
        readers: &dyn Readers,
        name: &CardKeyName,
        certificate: &HvCertificate,
        keeper: Box<HvPinKeeper>,
        patience: Duration,
        for_arrival: bool,
    ) -> Result<Self, HvCardError> {
        let at = |fault| HvCardError::new(name, fault);
        let link = readers.connect(name.reader(), patience, for_arrival);
        let link = link.map_err(|error| at(error.into()))?;
        let key = Self::in_card(link, name, Wanted::Certified, keeper)?;
        let opened = &key.opened;
        if opened.key.spki_der() != certificate.spki_der() {
            let (slot, kind) = (name.slot(), opened.key.to_string());
            return Err(at(KeyFault::OtherKey { slot, kind }));
        }
        Ok(key)
    }

    /// Finds a key whose slot may hold no certificate yet, or one of a former key: it is what the card
    /// says of it, or the certificate there, or at last what is `stated`, which must not contradict
    /// the card. Waits for another program as [`Self::open`]. No PIN is sent.
    ///
    /// # Errors
    /// [`HvCardError`] when the card is not there, nobody says what its key is, or it is another one
    /// than was stated.
    pub fn open_uncertified(
        readers: &dyn Readers,
        name: &CardKeyName,
        stated: Option<Stated>,
        keeper: Box<HvPinKeeper>,
        patience: Duration,
    ) -> Result<Self, HvCardError> {
        let link = readers.connect(name.reader(), patience, false);
        let link = link.map_err(|error| HvCardError::new(name, error.into()))?;
        Self::in_card(link, name, Wanted::Any(stated), keeper)
    }

    fn in_card(
        mut link: Box<dyn CardLink>,
        name: &CardKeyName,
        wanted: Wanted,
        keeper: Box<HvPinKeeper>,
    ) -> Result<Self, HvCardError> {
        let opened = opening::open(name.slot(), &wanted, &*keeper, |command| {
            Ok(link.transmit(command)?)
        });
        Ok(Self {
            name: name.clone(),
            opened: opened.map_err(|fault| HvCardError::new(name, fault))?,
            keeper,
            link: Mutex::new(link),
            fault: Mutex::default(),
        })
    }

    /// Its public part.
    #[must_use]
    pub fn public_key(&self) -> &HvPublicKey {
        &self.opened.key
    }

    /// Who says so.
    #[must_use]
    pub fn source(&self) -> &KeySource {
        &self.opened.source
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
        let (opened, keeper) = (&self.opened, &*self.keeper);
        signing::sign(opened, algorithm, message, &salt, keeper, |command| {
            Ok(link.transmit(command)?)
        })
    }
}

impl HvSigner for HvCardKey {
    fn spki_der(&self) -> &[u8] {
        self.opened.key.spki_der()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        self.opened.key.algorithms()
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signature(algorithm, message).map_err(|fault| {
            if let KeyFault::Algorithm { algorithm, .. } = fault {
                return SignError::Algorithm(algorithm);
            }
            let error = HvCardError::new(&self.name, fault);
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

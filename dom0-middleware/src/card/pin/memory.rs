//! A record of attempts that lives as long as the process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proto::id::Seid;
use ring::hmac;
use ring::rand::SystemRandom;

use super::ledger::{PinLedger, PinLedgerError, Unaccepted};
use super::source::OfferedPin;

/// A ledger that lives as long as the process. It holds keyed digests, never a PIN.
pub struct MemoryPinLedger {
    key: hmac::Key,
    unaccepted: Mutex<HashMap<Seid, Attempt>>,
}

/// One attempt.
struct Attempt {
    tag: hmac::Tag,
    came_of_it: Unaccepted,
}

impl MemoryPinLedger {
    /// An empty ledger under a fresh random key.
    ///
    /// # Errors
    /// [`PinLedgerError`] when the system has no randomness to give.
    pub fn new() -> Result<Self, PinLedgerError> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| PinLedgerError("no randomness".to_owned()))?;
        Ok(Self {
            key,
            unaccepted: Mutex::default(),
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Seid, Attempt>) -> T) -> T {
        // The map is replaced or read in one call: a panic elsewhere cannot leave it half done.
        act(&mut self
            .unaccepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

impl PinLedger for MemoryPinLedger {
    fn may_verify(&self, seid: &Seid, pin: &OfferedPin) -> Result<bool, PinLedgerError> {
        Ok(self.with(|unaccepted| match unaccepted.get(seid) {
            Some(Attempt { tag, .. }) => {
                hmac::verify(&self.key, pin.pin.as_bytes(), tag.as_ref()).is_err()
            }
            None => true,
        }))
    }

    fn record_attempt(&self, seid: &Seid, pin: &OfferedPin) -> Result<(), PinLedgerError> {
        let attempt = Attempt {
            tag: hmac::sign(&self.key, pin.pin.as_bytes()),
            came_of_it: Unaccepted::Pending,
        };
        self.with(|unaccepted| unaccepted.insert(seid.clone(), attempt));
        Ok(())
    }

    fn record_refused(&self, seid: &Seid) -> Result<(), PinLedgerError> {
        self.with(|unaccepted| {
            if let Some(attempt) = unaccepted.get_mut(seid) {
                attempt.came_of_it = Unaccepted::Refused;
            }
        });
        Ok(())
    }

    fn unaccepted(&self, seid: &Seid) -> Result<Option<Unaccepted>, PinLedgerError> {
        Ok(self.with(|unaccepted| Some(unaccepted.get(seid)?.came_of_it)))
    }

    fn record_accepted(&self, seid: &Seid) -> Result<(), PinLedgerError> {
        self.with(|unaccepted| unaccepted.remove(seid));
        Ok(())
    }

    fn allow_again(&self, seid: &Seid) -> Result<(), PinLedgerError> {
        self.record_accepted(seid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seid() -> Seid {
        "se-00".parse().expect("a valid SEID")
    }

    fn pin(digits: &str) -> OfferedPin {
        OfferedPin::for_test(digits)
    }

    #[test]
    fn a_pin_that_was_not_accepted_is_not_tried_again() {
        let ledger = MemoryPinLedger::new().expect("randomness");
        assert_eq!(ledger.may_verify(&seid(), &pin("1234")), Ok(true));
        ledger
            .record_attempt(&seid(), &pin("1234"))
            .expect("recorded");
        assert_eq!(ledger.may_verify(&seid(), &pin("1234")), Ok(false));
    }

    #[test]
    fn another_pin_an_acceptance_or_the_operator_opens_the_way_again() {
        let ledger = MemoryPinLedger::new().expect("randomness");
        ledger
            .record_attempt(&seid(), &pin("1234"))
            .expect("recorded");
        assert_eq!(ledger.may_verify(&seid(), &pin("4321")), Ok(true));
        ledger.record_accepted(&seid()).expect("recorded");
        assert_eq!(ledger.may_verify(&seid(), &pin("1234")), Ok(true));
        ledger
            .record_attempt(&seid(), &pin("1234"))
            .expect("recorded");
        ledger.allow_again(&seid()).expect("recorded");
        assert_eq!(ledger.may_verify(&seid(), &pin("1234")), Ok(true));
    }

    #[test]
    fn what_came_of_an_attempt_is_known() {
        let ledger = MemoryPinLedger::new().expect("randomness");
        let state = || ledger.unaccepted(&seid());
        ledger.record_refused(&seid()).expect("nothing to record");
        assert_eq!(state(), Ok(None));
        ledger
            .record_attempt(&seid(), &pin("1234"))
            .expect("recorded");
        assert_eq!(state(), Ok(Some(Unaccepted::Pending)));
        ledger.record_refused(&seid()).expect("recorded");
        assert_eq!(state(), Ok(Some(Unaccepted::Refused)));
        assert_eq!(ledger.may_verify(&seid(), &pin("1234")), Ok(false));
        ledger.record_accepted(&seid()).expect("recorded");
        assert_eq!(state(), Ok(None));
    }

    #[test]
    fn cards_are_kept_apart() {
        let ledger = MemoryPinLedger::new().expect("randomness");
        ledger
            .record_attempt(&seid(), &pin("1234"))
            .expect("recorded");
        let other: Seid = "se-01".parse().expect("a valid SEID");
        assert_eq!(ledger.may_verify(&other, &pin("1234")), Ok(true));
    }
}

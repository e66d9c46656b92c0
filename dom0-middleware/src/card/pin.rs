//! Where a card's PIN is, and when it may be tried: one attempt for each PIN the operator gave.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use proto::card::Pin;
use proto::id::Seid;
use ring::hmac;
use ring::rand::SystemRandom;
use thiserror::Error;
use zeroize::Zeroizing;

/// Where the user PIN of a card comes from. Read at each use, never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// A file whose content is the PIN's digits, white space around them ignored.
    File(PathBuf),
}

impl PinSource {
    /// Reads the PIN.
    ///
    /// # Errors
    /// [`PinSourceError`] when the file cannot be read or holds no PIN.
    pub fn read(&self) -> Result<Pin, PinSourceError> {
        let Self::File(path) = self;
        let unreadable = |error: io::Error| PinSourceError::Unreadable {
            path: path.clone(),
            kind: error.kind(),
        };
        let file = File::open(path).map_err(unreadable)?;
        // One allocation, so that no copy is left behind by growth.
        let mut content = Zeroizing::new(Vec::with_capacity(MAX_PIN_FILE + 1));
        file.take(MAX_PIN_FILE as u64 + 1)
            .read_to_end(&mut content)
            .map_err(unreadable)?;
        if content.len() > MAX_PIN_FILE {
            return Err(PinSourceError::NotAPin { path: path.clone() });
        }
        Pin::new(content.trim_ascii()).map_err(|_| PinSourceError::NotAPin { path: path.clone() })
    }
}

/// The longest PIN file read, in bytes: a PIN has at most eight, the rest is white space.
const MAX_PIN_FILE: usize = 64;

/// Why there is no PIN to send.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PinSourceError {
    /// The file cannot be read.
    #[error("cannot read PIN file {path}: {kind}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The file does not hold four to eight digits.
    #[error("PIN file {path} does not hold 4 to 8 digits", path = path.display())]
    NotAPin {
        /// Which file.
        path: PathBuf,
    },
}

/// Remembers which PIN was last sent to which card and not accepted, so that a wrong PIN costs one
/// try and not all.
///
/// An attempt counts as failed until it is recorded as accepted: a crash between the two leaves
/// the card alone. A durable ledger returns from [`record_attempt`](Self::record_attempt) only
/// when the record is on disk; it must not store anything the PIN can be found from.
pub trait PinLedger: Send + Sync {
    /// Whether `pin` may be sent to the card: not when the last attempt, with this same PIN, was
    /// not accepted.
    ///
    /// # Errors
    /// [`PinLedgerError`] when the ledger cannot be read; nothing may be sent then.
    fn may_verify(&self, seid: &Seid, pin: &Pin) -> Result<bool, PinLedgerError>;

    /// Records that `pin` is about to be sent. Called before VERIFY.
    ///
    /// # Errors
    /// [`PinLedgerError`] when that could not be recorded; nothing may be sent then.
    fn record_attempt(&self, seid: &Seid, pin: &Pin) -> Result<(), PinLedgerError>;

    /// Records that the card accepted the PIN of the last attempt.
    ///
    /// # Errors
    /// [`PinLedgerError`] when that could not be recorded; the attempt then counts as failed.
    fn record_accepted(&self, seid: &Seid) -> Result<(), PinLedgerError>;

    /// Lets the same PIN be tried again, because the operator says so.
    ///
    /// # Errors
    /// [`PinLedgerError`] when that could not be recorded.
    fn allow_again(&self, seid: &Seid) -> Result<(), PinLedgerError>;
}

/// The ledger could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the record of PIN attempts is not available: {0}")]
pub struct PinLedgerError(pub String);

/// A ledger that lives as long as the process. It holds keyed digests, never a PIN.
pub struct MemoryPinLedger {
    key: hmac::Key,
    unaccepted: Mutex<HashMap<Seid, hmac::Tag>>,
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

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Seid, hmac::Tag>) -> T) -> T {
        // The map is replaced or read in one call: a panic elsewhere cannot leave it half done.
        act(&mut self
            .unaccepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

impl PinLedger for MemoryPinLedger {
    fn may_verify(&self, seid: &Seid, pin: &Pin) -> Result<bool, PinLedgerError> {
        Ok(self.with(|unaccepted| match unaccepted.get(seid) {
            Some(tag) => hmac::verify(&self.key, pin.as_bytes(), tag.as_ref()).is_err(),
            None => true,
        }))
    }

    fn record_attempt(&self, seid: &Seid, pin: &Pin) -> Result<(), PinLedgerError> {
        let tag = hmac::sign(&self.key, pin.as_bytes());
        self.with(|unaccepted| unaccepted.insert(seid.clone(), tag));
        Ok(())
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

    fn pin(digits: &str) -> Pin {
        Pin::new(digits.as_bytes()).expect("a valid PIN")
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
    fn cards_are_kept_apart() {
        let ledger = MemoryPinLedger::new().expect("randomness");
        ledger
            .record_attempt(&seid(), &pin("1234"))
            .expect("recorded");
        let other: Seid = "se-01".parse().expect("a valid SEID");
        assert_eq!(ledger.may_verify(&other, &pin("1234")), Ok(true));
    }

    #[test]
    fn a_pin_file_may_end_with_a_newline_and_must_hold_digits_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pin");
        let source = PinSource::File(path.clone());
        std::fs::write(&path, "0000\n").expect("written");
        assert_eq!(source.read().expect("a PIN").as_bytes(), b"0000");
        for bad in ["", "123", "123456789", "12 34", "abcd"] {
            std::fs::write(&path, bad).expect("written");
            assert!(
                matches!(source.read(), Err(PinSourceError::NotAPin { .. })),
                "{bad:?}"
            );
        }
        std::fs::write(&path, vec![b' '; 100]).expect("written");
        assert!(matches!(source.read(), Err(PinSourceError::NotAPin { .. })));
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(
            source.read(),
            Err(PinSourceError::Unreadable { .. })
        ));
    }
}

//! A record of attempts that survives the process.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::id::Seid;
use serde::{Deserialize, Serialize};

use super::ledger::{PinLedger, PinLedgerError};
use super::memory::MemoryPinLedger;
use super::source::{OfferedPin, PinStamp};
use crate::durable;

/// Keeps, in a file, for which cards an attempt was made that was not accepted, and which state of
/// the PIN file it was made with. Nothing of the PIN itself: four digits would be found from any
/// digest of them.
///
/// Within one run a PIN that was not accepted is known again even if its file is written anew;
/// that part is kept in memory.
pub struct FilePinLedger {
    path: PathBuf,
    memory: MemoryPinLedger,
    pending: Mutex<Pending>,
}

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    /// Attempts that were made and not accepted, by card.
    pending: BTreeMap<Seid, PinStamp>,
}

impl FilePinLedger {
    /// Opens the record at `path`, creating it with mode 0600.
    ///
    /// # Errors
    /// [`PinLedgerError`] when it cannot be read, is something else, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, PinLedgerError> {
        let pending = read(path)?;
        let ledger = Self {
            path: path.to_owned(),
            memory: MemoryPinLedger::new()?,
            pending: Mutex::new(pending.clone()),
        };
        // Better known at start than when a PIN is wanted.
        ledger.write(&pending)?;
        Ok(ledger)
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // It is replaced as a whole: a panic elsewhere cannot leave it half done.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is kept; the change counts only if it is on disk.
    fn change(&self, change: impl FnOnce(&mut Pending)) -> Result<(), PinLedgerError> {
        let mut pending = self.lock();
        let mut changed = pending.clone();
        change(&mut changed);
        if changed != *pending {
            self.write(&changed)?;
            *pending = changed;
        }
        Ok(())
    }

    fn write(&self, pending: &Pending) -> Result<(), PinLedgerError> {
        durable::replace(&self.path, pending).map_err(|error| at(&self.path, error))
    }
}

fn read(path: &Path) -> Result<Pending, PinLedgerError> {
    match durable::read(path) {
        Ok(pending) => Ok(pending.unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let advice = "not a record of PIN attempts; if all PIN files are right, move it away";
            Err(at(path, format_args!("{advice} ({error})")))
        }
        Err(error) => Err(at(path, error)),
    }
}

fn at(path: &Path, reason: impl std::fmt::Display) -> PinLedgerError {
    PinLedgerError(format!("{}: {reason}", path.display()))
}

impl PinLedger for FilePinLedger {
    fn may_verify(&self, seid: &Seid, pin: &OfferedPin) -> Result<bool, PinLedgerError> {
        let is_pending = self.lock().pending.get(seid) == Some(&pin.stamp);
        Ok(!is_pending && self.memory.may_verify(seid, pin)?)
    }

    fn record_attempt(&self, seid: &Seid, pin: &OfferedPin) -> Result<(), PinLedgerError> {
        self.change(|kept| {
            kept.pending.insert(seid.clone(), pin.stamp);
        })?;
        self.memory.record_attempt(seid, pin)
    }

    fn record_accepted(&self, seid: &Seid) -> Result<(), PinLedgerError> {
        self.change(|kept| {
            kept.pending.remove(seid);
        })?;
        self.memory.record_accepted(seid)
    }

    fn allow_again(&self, seid: &Seid) -> Result<(), PinLedgerError> {
        self.record_accepted(seid)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn seid() -> Seid {
        "se-00".parse().expect("a valid SEID")
    }

    fn path(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("pin-attempts.json")
    }

    fn open(dir: &tempfile::TempDir) -> FilePinLedger {
        FilePinLedger::open(&path(dir)).expect("opened")
    }

    #[test]
    fn an_attempt_that_was_not_accepted_counts_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let pin = OfferedPin::for_test("1234");
        let ledger = open(&dir);
        assert_eq!(ledger.may_verify(&seid(), &pin), Ok(true));
        ledger.record_attempt(&seid(), &pin).expect("recorded");
        assert_eq!(ledger.may_verify(&seid(), &pin), Ok(false));
        drop(ledger);
        let ledger = open(&dir);
        assert_eq!(ledger.may_verify(&seid(), &pin), Ok(false));
        let other: Seid = "se-01".parse().expect("a valid SEID");
        assert_eq!(ledger.may_verify(&other, &pin), Ok(true));
        // The operator writes the file again, which is all that is known of it.
        let again = pin.written_again();
        assert_eq!(ledger.may_verify(&seid(), &again), Ok(true));
    }

    #[test]
    fn within_one_run_the_same_pin_is_known_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let pin = OfferedPin::for_test("1234");
        let ledger = open(&dir);
        ledger.record_attempt(&seid(), &pin).expect("recorded");
        let again = pin.written_again();
        assert_eq!(ledger.may_verify(&seid(), &again), Ok(false));
    }

    #[test]
    fn an_accepted_pin_may_be_sent_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let pin = OfferedPin::for_test("1234");
        let ledger = open(&dir);
        ledger.record_attempt(&seid(), &pin).expect("recorded");
        ledger.record_accepted(&seid()).expect("recorded");
        assert_eq!(open(&dir).may_verify(&seid(), &pin), Ok(true));
        ledger.record_attempt(&seid(), &pin).expect("recorded");
        ledger.allow_again(&seid()).expect("recorded");
        assert_eq!(open(&dir).may_verify(&seid(), &pin), Ok(true));
    }

    #[test]
    fn the_file_holds_nothing_of_the_pin_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = open(&dir);
        ledger
            .record_attempt(&seid(), &OfferedPin::for_test("97531"))
            .expect("recorded");
        let text = fs::read_to_string(path(&dir)).expect("there");
        assert!(text.contains("se-00") && !text.contains("97531"), "{text}");
        let mode = fs::metadata(path(&dir))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_recorded_may_not_be_tried() {
        let dir = tempfile::tempdir().expect("a directory");
        let folder = dir.path().join("gone");
        fs::create_dir(&folder).expect("made");
        let ledger = FilePinLedger::open(&folder.join("attempts")).expect("opened");
        fs::remove_dir_all(&folder).expect("removed");
        let pin = OfferedPin::for_test("1234");
        assert!(ledger.record_attempt(&seid(), &pin).is_err());
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        for content in ["", "hello", "[]", "{\"pending\":{\"a/b\":{}}}"] {
            fs::write(path(&dir), content).expect("written");
            let refused = FilePinLedger::open(&path(&dir));
            let error = refused.err().expect("no record").to_string();
            assert!(error.contains("pin-attempts.json"), "{error}");
            assert_eq!(fs::read_to_string(path(&dir)).expect("there"), content);
        }
    }
}

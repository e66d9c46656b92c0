//! PINs that were sent and not accepted.

use proto::id::Seid;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::error::StateError;
use super::open::State;
use super::value::{json, to_json};
use crate::card::{MemoryPinLedger, OfferedPin, PinLedger, PinLedgerError, PinStamp, Unaccepted};

/// Keeps, in the state, for which cards an attempt was made that was not accepted, and which state
/// of the PIN file it was made with. The PIN cannot be found from that: four digits would be found
/// from any whole digest of them.
///
/// Within one run a PIN that was not accepted is known again even if its file is written anew;
/// that part is kept in memory.
pub struct DurablePinLedger {
    state: State,
    memory: MemoryPinLedger,
}

impl DurablePinLedger {
    /// The record in `state`.
    ///
    /// # Errors
    /// [`PinLedgerError`] when the system has no randomness to give.
    pub fn new(state: State) -> Result<Self, PinLedgerError> {
        let memory = MemoryPinLedger::new()?;
        Ok(Self { state, memory })
    }
}

/// One attempt that was not accepted, as it is kept. Without `refused` nobody knows what came of it.
#[derive(Serialize, Deserialize)]
struct Attempt {
    #[serde(flatten)]
    stamp: PinStamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refused: bool,
}

impl State {
    fn attempt(&self, seid: &Seid) -> Result<Option<Attempt>, StateError> {
        self.lock().run(|connection| {
            let select = "SELECT stamp FROM pin_attempt WHERE seid = ?1";
            let attempt = connection.query_row(select, [seid.as_str()], |row| json(row, 0));
            attempt.optional()
        })
    }

    fn set_attempt(&self, seid: &Seid, attempt: &Attempt) -> Result<(), StateError> {
        self.lock().run(|connection| {
            let insert = "INSERT OR REPLACE INTO pin_attempt (seid, stamp) VALUES (?1, ?2)";
            connection.execute(insert, params![seid.as_str(), to_json(attempt)?])?;
            Ok(())
        })
    }

    fn clear_attempt(&self, seid: &Seid) -> Result<(), StateError> {
        self.lock().run(|connection| {
            let delete = "DELETE FROM pin_attempt WHERE seid = ?1";
            connection.execute(delete, [seid.as_str()])?;
            Ok(())
        })
    }
}

impl PinLedger for DurablePinLedger {
    fn may_verify(&self, seid: &Seid, pin: &OfferedPin) -> Result<bool, PinLedgerError> {
        let attempt = self.state.attempt(seid).map_err(unavailable)?;
        let is_another = attempt.is_none_or(|attempt| attempt.stamp != pin.stamp);
        Ok(is_another && self.memory.may_verify(seid, pin)?)
    }

    fn record_attempt(&self, seid: &Seid, pin: &OfferedPin) -> Result<(), PinLedgerError> {
        let attempt = Attempt {
            stamp: pin.stamp,
            refused: false,
        };
        self.state
            .set_attempt(seid, &attempt)
            .map_err(unavailable)?;
        self.memory.record_attempt(seid, pin)
    }

    fn record_refused(&self, seid: &Seid) -> Result<(), PinLedgerError> {
        let attempt = self.state.attempt(seid).map_err(unavailable)?;
        if let Some(attempt) = attempt {
            let refused = Attempt {
                refused: true,
                ..attempt
            };
            self.state
                .set_attempt(seid, &refused)
                .map_err(unavailable)?;
        }
        self.memory.record_refused(seid)
    }

    fn unaccepted(&self, seid: &Seid) -> Result<Option<Unaccepted>, PinLedgerError> {
        let attempt = self.state.attempt(seid).map_err(unavailable)?;
        Ok(attempt.map(|attempt| match attempt.refused {
            true => Unaccepted::Refused,
            false => Unaccepted::Pending,
        }))
    }

    fn record_accepted(&self, seid: &Seid) -> Result<(), PinLedgerError> {
        self.state.clear_attempt(seid).map_err(unavailable)?;
        self.memory.record_accepted(seid)
    }

    fn allow_again(&self, seid: &Seid) -> Result<(), PinLedgerError> {
        self.record_accepted(seid)
    }
}

fn unavailable(error: StateError) -> PinLedgerError {
    PinLedgerError(crate::error::Causes(&error).to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::change::Edit;
    use super::super::testing;
    use super::*;
    use crate::time::UnixTime;

    fn seid() -> Seid {
        "se-00".parse().expect("a valid SEID")
    }

    fn open(dir: &TempDir) -> DurablePinLedger {
        DurablePinLedger::new(testing::open_again(dir)).expect("randomness")
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
        assert_eq!(ledger.unaccepted(&seid()), Ok(Some(Unaccepted::Pending)));
        ledger.record_refused(&seid()).expect("recorded");
        drop(ledger);
        let ledger = open(&dir);
        assert_eq!(ledger.unaccepted(&seid()), Ok(Some(Unaccepted::Refused)));
        assert_eq!(ledger.may_verify(&seid(), &pin), Ok(false));
        let other: Seid = "se-01".parse().expect("a valid SEID");
        assert_eq!(ledger.may_verify(&other, &pin), Ok(true));
        assert_eq!(ledger.unaccepted(&other), Ok(None));
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
        drop(ledger);
        let ledger = open(&dir);
        assert_eq!(ledger.may_verify(&seid(), &pin), Ok(true));
        ledger.record_attempt(&seid(), &pin).expect("recorded");
        ledger.allow_again(&seid()).expect("recorded");
        drop(ledger);
        assert_eq!(open(&dir).may_verify(&seid(), &pin), Ok(true));
    }

    #[test]
    fn the_files_hold_nothing_of_the_pin() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = open(&dir);
        let pin = OfferedPin::for_test("97531");
        ledger.record_attempt(&seid(), &pin).expect("recorded");
        let contains =
            |content: &[u8], text: &[u8]| content.windows(text.len()).any(|window| window == text);
        let files = fs::read_dir(dir.path()).expect("there");
        let contents: Vec<_> = files
            .map(|file| fs::read(file.expect("there").path()).expect("readable"))
            .collect();
        assert!(contents.iter().any(|content| contains(content, b"se-00")));
        assert!(!contents.iter().any(|content| contains(content, b"97531")));
    }

    #[test]
    fn workers_and_changes_do_not_get_into_each_others_way() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = open(&dir);
        let state = ledger.state.clone();
        let pin = OfferedPin::for_test("1234");
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (ledger, pin) = (&ledger, &pin);
                scope.spawn(move || {
                    let seid: Seid = format!("se-{number}").parse().expect("a SEID");
                    for _ in 0..20 {
                        ledger.record_attempt(&seid, pin).expect("recorded");
                        ledger.record_accepted(&seid).expect("recorded");
                    }
                    ledger.record_attempt(&seid, pin).expect("recorded");
                });
            }
            for number in 0..20 {
                let now = UnixTime::from_secs(1);
                let revoke = |edit: &Edit<'_>| edit.revoke([number; 16], None, now).map(drop);
                state.change(revoke, testing::record).expect("made");
            }
        });
        drop((ledger, state));
        let ledger = open(&dir);
        assert_eq!(ledger.state.last_change(), 20);
        for number in 0..4 {
            let seid: Seid = format!("se-{number}").parse().expect("a SEID");
            assert_eq!(ledger.may_verify(&seid, &pin), Ok(false));
        }
    }

    #[test]
    fn what_cannot_be_recorded_may_not_be_tried() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = open(&dir);
        {
            let inner = ledger.state.lock();
            let read_only = inner.connection.pragma_update(None, "query_only", true);
            read_only.expect("set");
        }
        let pin = OfferedPin::for_test("1234");
        assert!(ledger.record_attempt(&seid(), &pin).is_err());
    }
}

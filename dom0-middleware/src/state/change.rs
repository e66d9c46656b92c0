//! One change: numbered, recorded, made.

use std::io;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::error::{ChangeError, StateError};
use super::open::{Inner, State};
use super::value::{int, number};
use crate::audit::AuditHead;

impl State {
    /// Makes one change, whole or not at all, in this order: `edit` makes it where nobody sees it
    /// yet; `record` writes its audit record, with the number of the change, and returns when that
    /// is on disk; then the change is made for good.
    ///
    /// A crash after the record leaves a record of a change that was not made;
    /// [`State::catch_up`] finds it at the next start.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed then. A number that the audit may speak of is never
    /// given again.
    pub fn change<T>(
        &self,
        edit: impl FnOnce(&Edit<'_>) -> Result<T, rusqlite::Error>,
        record: impl FnOnce(u64, &T) -> io::Result<AuditHead>,
    ) -> Result<T, ChangeError> {
        let mut inner = self.lock();
        let Inner {
            connection,
            path,
            last_change,
            ..
        } = &mut *inner;
        let change = last_change.saturating_add(1);
        let state = |error| ChangeError::State(StateError::of(path, error));
        let commit = |error| ChangeError::Commit {
            change,
            source: StateError::of(path, error),
        };
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(state)?;
        let edit = edit(&Edit {
            transaction: &transaction,
            change,
        })
        .map_err(state)?;
        let recorded = record(change, &edit);
        let committed = match recorded {
            Err(source) => Err(ChangeError::Audit { change, source }),
            Ok(head) => set_head(&transaction, change, head)
                .and_then(|()| transaction.commit())
                .map_err(commit),
        };
        *last_change = change;
        committed.map(|()| edit)
    }

    /// Makes again what the audit knows and this state does not, whole or not at all; from then on
    /// `change` is the number of the last change.
    ///
    /// # Errors
    /// [`StateError`]; nothing has changed then.
    pub(super) fn make_again(
        &self,
        change: u64,
        edit: impl FnOnce(&Edit<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StateError> {
        let mut inner = self.lock();
        inner.run(|connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            edit(&Edit {
                transaction: &transaction,
                change,
            })?;
            let update = "UPDATE head SET change = ?1";
            transaction.execute(update, [int(change)])?;
            transaction.commit()
        })?;
        inner.last_change = change;
        Ok(())
    }

    /// The number of the last change that was made, or that the audit may speak of.
    #[must_use]
    pub fn last_change(&self) -> u64 {
        self.lock().last_change
    }

    /// Remembers how far the audit is on disk.
    ///
    /// # Errors
    /// [`StateError`]; what was noted before stands then.
    pub fn note_audit_head(&self, head: AuditHead) -> Result<(), StateError> {
        self.lock().run(|connection| {
            let update = "UPDATE head SET audit_seq = ?1, audit_hash = ?2";
            connection.execute(update, params![int(head.seq), head.hash])?;
            Ok(())
        })
    }

    /// As [`Self::note_audit_head`], unless what was noted before is further on.
    ///
    /// # Errors
    /// The same.
    pub fn advance_audit_head(&self, head: AuditHead) -> Result<(), StateError> {
        self.lock().run(|connection| {
            let update = "UPDATE head SET audit_seq = ?1, audit_hash = ?2 \
                          WHERE audit_seq IS NULL OR audit_seq < ?1";
            connection.execute(update, params![int(head.seq), head.hash])?;
            Ok(())
        })
    }

    /// How far the audit was on disk when that was noted last.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be read.
    pub fn audit_head(&self) -> Result<Option<AuditHead>, StateError> {
        self.lock().run(|connection| read_head(connection))
    }
}

/// How far the audit was on disk, as the state file at `path` says. The file may be in use.
///
/// # Errors
/// [`StateError`] when it cannot be read.
pub fn audit_head_of(path: &std::path::Path) -> Result<Option<AuditHead>, StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
        .and_then(|connection| read_head(&connection))
        .map_err(|error| StateError::of(path, error))
}

fn read_head(connection: &Connection) -> rusqlite::Result<Option<AuditHead>> {
    let select = "SELECT audit_seq, audit_hash FROM head";
    connection.query_row(select, (), |row| {
        let seq: Option<i64> = row.get(0)?;
        let hash: Option<[u8; 32]> = row.get(1)?;
        Ok(seq.zip(hash).map(|(seq, hash)| AuditHead {
            seq: number(seq),
            hash,
        }))
    })
}

fn set_head(transaction: &Transaction<'_>, change: u64, head: AuditHead) -> rusqlite::Result<()> {
    let update = "UPDATE head SET change = ?1, audit_seq = ?2, audit_hash = ?3";
    let values = params![int(change), int(head.seq), head.hash];
    transaction.execute(update, values).map(drop)
}

/// A change that is being made.
pub struct Edit<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) change: u64,
}

impl Edit<'_> {
    /// Its number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.change
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{head, open, open_again, record};
    use super::*;
    use crate::time::UnixTime;

    const CTI: [u8; 16] = [7; 16];

    fn revoke(edit: &Edit<'_>) -> rusqlite::Result<()> {
        edit.revoke(CTI, None, UnixTime::from_secs(1)).map(drop)
    }

    #[test]
    fn a_change_has_a_number_that_is_in_its_record_and_in_the_state() {
        let (dir, state) = open();
        for expected in 1..=3 {
            state.change(revoke, record).expect("made");
            assert_eq!(state.last_change(), expected);
        }
        drop(state);
        let state = open_again(&dir);
        assert_eq!(state.last_change(), 3);
        assert_eq!(state.audit_head().expect("read"), Some(head(3)));
        assert_eq!(
            audit_head_of(&dir.path().join("state.db")).expect("read"),
            Some(head(3))
        );
    }

    #[test]
    fn what_cannot_be_recorded_is_not_done_and_its_number_is_not_given_again() {
        let (dir, state) = open();
        let full = |_, _: &_| Err(io::ErrorKind::StorageFull.into());
        let error = state.change(revoke, full).expect_err("no room");
        assert_eq!(error.recorded(), Some(1));
        assert!(state.revoked().expect("read").is_empty());
        state.change(revoke, record).expect("made");
        drop(state);
        let state = open_again(&dir);
        assert_eq!(
            (state.last_change(), state.revoked().expect("read").len()),
            (2, 1)
        );
    }

    #[test]
    fn while_somebody_else_writes_nothing_is_changed() {
        let (dir, state) = open();
        let other = Connection::open(dir.path().join("state.db")).expect("opened");
        other.execute_batch("BEGIN IMMEDIATE").expect("begun");
        let error = state.change(revoke, record).expect_err("not our turn");
        assert_eq!(error.recorded(), None);
        let state_error = std::error::Error::source(&error)
            .expect("a cause")
            .to_string();
        assert!(
            state_error.contains("in use by another process"),
            "{state_error}"
        );
        other.execute_batch("ROLLBACK").expect("over");
        state.change(revoke, record).expect("made");
        assert_eq!(state.last_change(), 1);
    }

    #[test]
    fn what_can_only_be_read_is_not_changed_and_may_be_later() {
        let (_dir, state) = open();
        let read_only = |on: bool| {
            let inner = state.lock();
            let set = inner.connection.pragma_update(None, "query_only", on);
            set.expect("set");
        };
        read_only(true);
        let error = state.change(revoke, record).expect_err("only to be read");
        assert_eq!(error.recorded(), None);
        assert!(state.note_audit_head(head(1)).is_err());
        read_only(false);
        state.change(revoke, record).expect("made");
        assert_eq!(state.last_change(), 1);
    }

    #[test]
    fn what_cannot_be_edited_is_not_recorded() {
        let (_dir, state) = open();
        let broken = |_: &Edit<'_>| Err::<(), _>(rusqlite::Error::InvalidQuery);
        let never = |_, _: &_| unreachable!("nothing to record");
        let error = state.change(broken, never).expect_err("broken");
        assert_eq!(error.recorded(), None);
        assert_eq!(state.last_change(), 0);
    }

    #[test]
    fn a_panic_between_record_and_commit_changes_nothing() {
        let (dir, state) = open();
        let crash = std::panic::AssertUnwindSafe(|| {
            let _ = state.change(revoke, |_, _: &_| panic!("killed"));
        });
        assert!(std::panic::catch_unwind(crash).is_err());
        assert!(state.revoked().expect("read").is_empty());
        drop(state);
        assert_eq!(open_again(&dir).last_change(), 0);
    }
}

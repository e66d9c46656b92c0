//! Which cards are in maintenance.

use std::collections::BTreeSet;

use proto::id::Seid;
use rusqlite::params;

use super::change::Edit;
use super::error::StateError;
use super::open::State;
use super::value::{int, parsed};

impl State {
    /// The cards that are in maintenance.
    ///
    /// # Errors
    /// [`StateError`] when they cannot be read.
    pub fn maintenance(&self) -> Result<BTreeSet<Seid>, StateError> {
        self.lock().run(|connection| {
            let mut select = connection.prepare("SELECT seid FROM maintenance")?;
            let rows = select.query_map((), |row| parsed(row, 0))?;
            rows.collect()
        })
    }
}

impl Edit<'_> {
    /// Puts a card into maintenance, or ends that.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn set_maintenance(&self, seid: &Seid, on: bool) -> rusqlite::Result<()> {
        let changed = match on {
            true => self.transaction.execute(
                "INSERT OR REPLACE INTO maintenance (seid, change) VALUES (?1, ?2)",
                params![seid.as_str(), int(self.change)],
            ),
            false => self
                .transaction
                .execute("DELETE FROM maintenance WHERE seid = ?1", [seid.as_str()]),
        };
        changed.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{open, open_again, record};
    use super::*;

    #[test]
    fn maintenance_lasts_over_a_restart_until_it_is_ended() {
        let (dir, state) = open();
        let [first, second]: [Seid; 2] =
            ["se-00", "se-01"].map(|seid| seid.parse().expect("a SEID"));
        let set = |state: &State, seid: &Seid, on| {
            let edit = |edit: &Edit<'_>| edit.set_maintenance(seid, on);
            state.change(edit, record).expect("made");
        };
        set(&state, &first, true);
        set(&state, &second, true);
        drop(state);
        let state = open_again(&dir);
        let both = BTreeSet::from([first.clone(), second.clone()]);
        assert_eq!(state.maintenance().expect("read"), both);
        set(&state, &first, false);
        drop(state);
        let left = open_again(&dir).maintenance().expect("read");
        assert_eq!(left, BTreeSet::from([second]));
    }
}

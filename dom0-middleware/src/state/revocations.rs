//! Tokens that do not count any more.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::id::DomainUuid;
use rusqlite::{OptionalExtension, params};

use super::change::Edit;
use super::error::StateError;
use super::open::State;
use super::value::{int, number, parsed, seconds, time};
use crate::time::UnixTime;

/// A token that was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revocation {
    /// When.
    pub at: UnixTime,
    /// When the token ends anyway, if that is known.
    pub exp: Option<UnixTime>,
}

/// How long the revocation of a token is kept after the token has ended: a clock that was set back
/// does not bring it to life again.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

impl State {
    /// All revoked tokens, by their number.
    ///
    /// # Errors
    /// [`StateError`] when they cannot be read.
    pub fn revoked(&self) -> Result<BTreeMap<[u8; 16], Revocation>, StateError> {
        self.lock().run(|connection| {
            let mut select = connection.prepare("SELECT cti, revoked_at, exp FROM revocation")?;
            let rows = select.query_map((), |row| {
                let exp: Option<i64> = row.get(2)?;
                let revocation = Revocation {
                    at: time(row, 1)?,
                    exp: exp.map(|exp| UnixTime::from_secs(number(exp))),
                };
                Ok((row.get(0)?, revocation))
            })?;
            rows.collect()
        })
    }

    /// From when on tokens of a domain count, where that was said.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be read.
    pub fn tokens_from(&self) -> Result<BTreeMap<DomainUuid, UnixTime>, StateError> {
        self.lock().run(|connection| {
            let mut select = connection.prepare("SELECT domain, tokens_from FROM tokens_from")?;
            let rows = select.query_map((), |row| Ok((parsed(row, 0)?, time(row, 1)?)))?;
            rows.collect()
        })
    }

    /// Forgets revocations of tokens that ended long ago, and says how many. That changes no
    /// right, so it is no change.
    ///
    /// # Errors
    /// [`StateError`] when that cannot be written.
    pub fn prune(&self, now: UnixTime) -> Result<usize, StateError> {
        let before = UnixTime(now.0.saturating_sub(KEPT));
        self.lock().run(|connection| {
            let delete = "DELETE FROM revocation WHERE exp < ?1";
            connection.execute(delete, [seconds(before)])
        })
    }
}

impl Edit<'_> {
    /// Revokes a token; `false` when it was revoked already.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn revoke(
        &self,
        cti: [u8; 16],
        exp: Option<UnixTime>,
        now: UnixTime,
    ) -> rusqlite::Result<bool> {
        let inserted = self.transaction.execute(
            "INSERT OR IGNORE INTO revocation (cti, revoked_at, exp, change)
             VALUES (?1, ?2, ?3, ?4)",
            params![cti, seconds(now), exp.map(seconds), int(self.change)],
        )?;
        Ok(inserted > 0)
    }

    /// Lets tokens of a domain count only if they were issued at `from` or later. A later time
    /// that was said before stands.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn set_tokens_from(&self, domain: DomainUuid, from: UnixTime) -> rusqlite::Result<()> {
        let domain = domain.to_string();
        let select = "SELECT tokens_from FROM tokens_from WHERE domain = ?1";
        let set: Option<i64> = self
            .transaction
            .query_row(select, [&domain], |row| row.get(0))
            .optional()?;
        if set.is_some_and(|set| set >= seconds(from)) {
            return Ok(());
        }
        let insert = "INSERT OR REPLACE INTO tokens_from (domain, tokens_from, change)
                      VALUES (?1, ?2, ?3)";
        let values = params![domain, seconds(from), int(self.change)];
        self.transaction.execute(insert, values).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{open, open_again, record};
    use super::*;

    const DAY: u64 = 86_400;

    fn day(n: u64) -> UnixTime {
        UnixTime::from_secs(n * DAY)
    }

    fn change<T>(state: &State, edit: impl FnOnce(&Edit<'_>) -> rusqlite::Result<T>) -> T {
        state.change(edit, record).expect("made")
    }

    #[test]
    fn a_revocation_is_kept_until_long_after_its_token() {
        let (dir, state) = open();
        assert!(change(&state, |edit| edit.revoke(
            [1; 16],
            Some(day(10)),
            day(1)
        )));
        assert!(change(&state, |edit| edit.revoke([2; 16], None, day(1))));
        assert!(!change(&state, |edit| edit.revoke([1; 16], None, day(2))));
        drop(state);
        let state = open_again(&dir);
        let revocation = |exp| Revocation { at: day(1), exp };
        let expected = [
            ([1; 16], revocation(Some(day(10)))),
            ([2; 16], revocation(None)),
        ];
        assert_eq!(state.revoked().expect("read"), expected.into());
        assert_eq!(state.prune(day(40)).expect("written"), 0);
        assert_eq!(state.prune(day(41)).expect("written"), 1);
        assert!(state.revoked().expect("read").contains_key(&[2; 16]));
    }

    #[test]
    fn what_was_said_of_all_tokens_of_a_domain_never_goes_back() {
        let (_dir, state) = open();
        let domain = DomainUuid::from_bytes([1; 16]);
        for (said, holds) in [(2, 2), (3, 3), (1, 3)] {
            change(&state, |edit| edit.set_tokens_from(domain, day(said)));
            let expected = BTreeMap::from([(domain, day(holds))]);
            assert_eq!(state.tokens_from().expect("read"), expected);
        }
    }
}

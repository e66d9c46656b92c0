//! The last token that each domain showed.

use std::collections::BTreeMap;

use proto::id::DomainUuid;
use rusqlite::params;

use super::error::StateError;
use super::open::State;
use super::value::{parsed, seconds, time};
use crate::time::UnixTime;

/// A token that a domain was let in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Its number.
    pub cti: [u8; 16],
    /// SHA-256 of the HV certificate that it names as its issuer.
    pub iss: [u8; 32],
    /// When it was issued.
    pub iat: UnixTime,
    /// When it ends.
    pub exp: UnixTime,
    /// When it was first shown.
    pub first_seen: UnixTime,
    /// When it was last shown.
    pub last_seen: UnixTime,
}

impl State {
    /// The last token of each domain.
    ///
    /// # Errors
    /// [`StateError`] when they cannot be read.
    pub fn sightings(&self) -> Result<BTreeMap<DomainUuid, Sighting>, StateError> {
        self.lock().run(|connection| {
            let mut select = connection.prepare(
                "SELECT domain, cti, iss, iat, exp, first_seen, last_seen FROM token_seen",
            )?;
            let rows = select.query_map((), |row| {
                let sighting = Sighting {
                    cti: row.get(1)?,
                    iss: row.get(2)?,
                    iat: time(row, 3)?,
                    exp: time(row, 4)?,
                    first_seen: time(row, 5)?,
                    last_seen: time(row, 6)?,
                };
                Ok((parsed(row, 0)?, sighting))
            })?;
            rows.collect()
        })
    }

    /// Remembers the last tokens of some domains. That changes no right, so it is no change.
    ///
    /// # Errors
    /// [`StateError`] when that cannot be written.
    pub fn note_sightings(&self, seen: &[(DomainUuid, Sighting)]) -> Result<(), StateError> {
        self.lock().run(|connection| {
            let transaction = connection.transaction()?;
            for (domain, token) in seen {
                transaction.execute(
                    "INSERT OR REPLACE INTO token_seen
                         (domain, cti, iss, iat, exp, first_seen, last_seen)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        domain.to_string(),
                        token.cti,
                        token.iss,
                        seconds(token.iat),
                        seconds(token.exp),
                        seconds(token.first_seen),
                        seconds(token.last_seen),
                    ],
                )?;
            }
            transaction.commit()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{open, open_again};
    use super::*;

    #[test]
    fn the_last_token_of_a_domain_takes_the_place_of_the_one_before() {
        let (dir, state) = open();
        let domain = DomainUuid::from_bytes([1; 16]);
        let token = |number| Sighting {
            cti: [number; 16],
            iss: [2; 32],
            iat: UnixTime::from_secs(3),
            exp: UnixTime::from_secs(4),
            first_seen: UnixTime::from_secs(5),
            last_seen: UnixTime::from_secs(6),
        };
        for number in 1..=2 {
            state
                .note_sightings(&[(domain, token(number))])
                .expect("written");
        }
        drop(state);
        let seen = open_again(&dir).sightings().expect("read");
        assert_eq!(seen, [(domain, token(2))].into());
    }
}

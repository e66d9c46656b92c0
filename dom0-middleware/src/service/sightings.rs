//! The last token of each domain: kept here, and written down a little later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proto::id::DomainUuid;

use crate::mapping::VerifiedToken;
use crate::state::{Sighting, State, StateError};
use crate::time::{Now, UnixTime};

/// The tokens that domains showed last. However many show them, and however often: there is one
/// write per [`DELAY`], and nobody waits for it.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    tokens: BTreeMap<DomainUuid, Sighting>,
    /// Whose are not written down yet, and when that is to be done.
    new: BTreeSet<DomainUuid>,
    write_at: Option<Instant>,
}

/// The time until a token that was seen is written down.
const DELAY: Duration = Duration::from_secs(5);

impl Sightings {
    pub(super) fn load(state: &State) -> Result<Self, StateError> {
        Ok(Self {
            tokens: state.sightings()?,
            ..Self::default()
        })
    }

    /// A domain was let in with a token.
    pub(super) fn note(&mut self, token: &VerifiedToken, now: Now) {
        // As it is written down.
        let seconds = UnixTime::from_secs(now.unix.as_secs());
        let last = self.tokens.get(&token.sub);
        let same = last.filter(|last| last.cti == token.cti);
        let sighting = Sighting {
            cti: token.cti,
            iss: token.iss.0,
            iat: token.iat,
            exp: token.exp,
            first_seen: same.map_or(seconds, |same| same.first_seen),
            last_seen: seconds,
        };
        self.tokens.insert(token.sub, sighting);
        self.new.insert(token.sub);
        self.write_at.get_or_insert(now.monotonic + DELAY);
    }

    /// When [`Self::write`] is due.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.write_at
    }

    /// Whether it is due now.
    pub(super) fn is_due(&self, now: Now) -> bool {
        self.write_at.is_some_and(|at| at <= now.monotonic)
    }

    /// Writes down what is new. When that fails, it is due again later.
    pub(super) fn write(&mut self, state: &State, now: Now) -> Result<(), StateError> {
        let new = self.new.iter();
        let new: Vec<_> = new
            .filter_map(|domain| Some((*domain, *self.tokens.get(domain)?)))
            .collect();
        self.write_at = None;
        if new.is_empty() {
            return Ok(());
        }
        let written = state.note_sightings(&new);
        match written {
            Ok(()) => self.new.clear(),
            Err(_) => self.write_at = Some(now.monotonic + DELAY),
        }
        written
    }

    pub(super) fn of(&self, domain: DomainUuid) -> Option<&Sighting> {
        self.tokens.get(&domain)
    }

    /// Who showed a token last.
    pub(super) fn by_cti(&self, cti: [u8; 16]) -> Option<(DomainUuid, &Sighting)> {
        self.iter().find(|(_, token)| token.cti == cti)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (DomainUuid, &Sighting)> {
        self.tokens.iter().map(|(domain, token)| (*domain, token))
    }
}

#[cfg(test)]
mod tests {
    use proto::hv::HvId;

    use super::*;

    fn token(domain: u8, cti: u8) -> VerifiedToken {
        VerifiedToken {
            iss: HvId([2; 32]),
            sub: DomainUuid::from_bytes([domain; 16]),
            exp: UnixTime::from_secs(9_000),
            nbf: None,
            iat: UnixTime::from_secs(1),
            cti: [cti; 16],
            cnf_matches_channel: true,
            vm_cert_sha256: Vec::new(),
        }
    }

    #[test]
    fn however_many_tokens_are_shown_there_is_one_write() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State::open(&dir.path().join("state.db")).expect("made");
        let mut sightings = Sightings::load(&state).expect("read");
        let start = Now::read();
        let at = |secs| start.after(Duration::from_secs(secs));
        assert_eq!(sightings.next_timeout(), None);
        for n in 0..100 {
            sightings.note(&token(n % 3, n), at(1));
        }
        assert!(!sightings.is_due(at(5)));
        assert!(sightings.is_due(at(6)));
        sightings.write(&state, at(6)).expect("written");
        assert_eq!(sightings.next_timeout(), None);
        sightings.note(&token(0, 99), at(7));
        sightings.write(&state, at(12)).expect("written");

        let again = Sightings::load(&state).expect("read");
        assert_eq!(again.iter().count(), 3);
        let (domain, seen) = again.by_cti([99; 16]).expect("known");
        assert_eq!(domain, token(0, 99).sub);
        let secs = |now: Now| UnixTime::from_secs(now.unix.as_secs());
        assert_eq!(
            (seen.first_seen, seen.last_seen),
            (secs(at(1)), secs(at(7)))
        );
    }
}

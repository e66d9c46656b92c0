//! The last token of each domain: kept here, and written down from time to time.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::id::DomainUuid;

use crate::mapping::VerifiedToken;
use crate::state::{Sighting, State, StateError};
use crate::time::UnixTime;

/// The tokens that domains showed last. A guest that shows tokens again and again makes one write
/// per [`EVERY`].
#[derive(Debug, Default)]
pub(super) struct Sightings(BTreeMap<DomainUuid, Seen>);

#[derive(Debug)]
struct Seen {
    token: Sighting,
    /// When it was last written down, and whether there is something new since.
    written: UnixTime,
    is_new: bool,
}

/// The time between two writes for one domain.
const EVERY: Duration = Duration::from_secs(60);

impl Sightings {
    pub(super) fn load(state: &State) -> Result<Self, StateError> {
        let known = state.sightings()?.into_iter().map(|(domain, token)| {
            let seen = Seen {
                token,
                written: UnixTime::default(),
                is_new: false,
            };
            (domain, seen)
        });
        Ok(Self(known.collect()))
    }

    /// A domain was let in with a token; whether that should be written down now.
    pub(super) fn note(&mut self, token: &VerifiedToken, now: UnixTime) -> bool {
        let last = self.0.get(&token.sub);
        let same = last.filter(|seen| seen.token.cti == token.cti);
        let sighting = Sighting {
            cti: token.cti,
            iss: token.iss.0,
            iat: token.iat,
            exp: token.exp,
            first_seen: same.map_or(now, |seen| seen.token.first_seen),
            last_seen: now,
        };
        let written = last.map_or_else(UnixTime::default, |seen| seen.written);
        let seen = Seen {
            token: sighting,
            written,
            is_new: true,
        };
        self.0.insert(token.sub, seen);
        now.0.saturating_sub(written.0) >= EVERY
    }

    /// Writes down what is new.
    pub(super) fn write(&mut self, state: &State, now: UnixTime) -> Result<(), StateError> {
        let new = self.0.iter().filter(|(_, seen)| seen.is_new);
        let new: Vec<_> = new.map(|(domain, seen)| (*domain, seen.token)).collect();
        if new.is_empty() {
            return Ok(());
        }
        state.note_sightings(&new)?;
        for seen in self.0.values_mut().filter(|seen| seen.is_new) {
            (seen.written, seen.is_new) = (now, false);
        }
        Ok(())
    }

    pub(super) fn of(&self, domain: DomainUuid) -> Option<&Sighting> {
        self.0.get(&domain).map(|seen| &seen.token)
    }

    /// Who showed a token last.
    pub(super) fn by_cti(&self, cti: [u8; 16]) -> Option<(DomainUuid, &Sighting)> {
        self.iter().find(|(_, token)| token.cti == cti)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (DomainUuid, &Sighting)> {
        self.0.iter().map(|(domain, seen)| (*domain, &seen.token))
    }
}

#[cfg(test)]
mod tests {
    use proto::hv::HvId;

    use super::*;

    fn token(cti: u8) -> VerifiedToken {
        VerifiedToken {
            iss: HvId([2; 32]),
            sub: DomainUuid::from_bytes([1; 16]),
            exp: UnixTime::from_secs(9_000),
            nbf: None,
            iat: UnixTime::from_secs(1),
            cti: [cti; 16],
            cnf_matches_channel: true,
            vm_cert_sha256: Vec::new(),
        }
    }

    #[test]
    fn who_shows_tokens_again_and_again_does_not_make_us_write() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = State::open(&dir.path().join("state.db")).expect("made");
        let mut sightings = Sightings::load(&state).expect("read");
        let at = UnixTime::from_secs;
        assert!(sightings.note(&token(1), at(1_000)));
        sightings.write(&state, at(1_000)).expect("written");
        for n in 0..100 {
            assert!(!sightings.note(&token(n % 2), at(1_001)));
        }
        assert!(sightings.note(&token(1), at(1_060)));
        sightings.write(&state, at(1_060)).expect("written");
        let again = Sightings::load(&state).expect("read");
        let (_, seen) = again.by_cti([1; 16]).expect("known");
        assert_eq!((seen.first_seen, seen.last_seen), (at(1_001), at(1_060)));
    }
}

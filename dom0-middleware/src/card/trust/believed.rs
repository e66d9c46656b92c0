//! Chains that were believed a moment ago.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto::id::DomainUuid;
use rustls_pki_types::UnixTime;
use sha2::{Digest, Sha256};

use super::error::TrustError;
use super::leaf;
use super::verifier::Trust;

/// Remembers which chains a [`Trust`] has accepted, so that handshakes with one server that follow each
/// other check its signatures once. What is refused is not remembered.
///
/// A chain is the same for the same domain, trust, name and bytes alone: how long a handshake takes
/// tells a domain nothing of what another did. It is believed for a minute, and not past the end of
/// any of its certificates.
#[derive(Debug, Default)]
pub struct Believed(Mutex<VecDeque<Entry>>);

#[derive(Debug)]
struct Entry {
    key: [u8; 32],
    from: UnixTime,
    until: UnixTime,
}

impl Believed {
    /// As [`Trust::verify`], for handshakes of `domain`.
    ///
    /// # Errors
    /// The [`TrustError`] that says why the chain is not accepted.
    pub fn verify(
        &self,
        trust: &Trust,
        domain: DomainUuid,
        chain: &[Vec<u8>],
        server_name: &str,
        now: UnixTime,
    ) -> Result<(), TrustError> {
        let key = key(trust, domain, chain, server_name);
        if self.knows(&key, now) {
            return Ok(());
        }
        trust.verify(chain, server_name, now)?;
        self.remember(key, chain, now);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn has(
        &self,
        trust: &Trust,
        domain: DomainUuid,
        chain: &[Vec<u8>],
        server_name: &str,
        now: UnixTime,
    ) -> bool {
        self.knows(&key(trust, domain, chain, server_name), now)
    }

    fn knows(&self, key: &[u8; 32], now: UnixTime) -> bool {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |entry: &Entry| entry.key == *key && entry.from <= now && now <= entry.until;
        entries.iter().any(holds)
    }

    fn remember(&self, key: [u8; 32], chain: &[Vec<u8>], now: UnixTime) {
        let ends = chain.iter().map(|der| leaf::not_after(der));
        let Ok(ends) = ends.collect::<Result<Vec<UnixTime>, _>>() else {
            return;
        };
        let lasts = now.as_secs().saturating_add(LASTS.as_secs());
        let lasts = UnixTime::since_unix_epoch(Duration::from_secs(lasts));
        let until = ends.into_iter().fold(lasts, UnixTime::min);
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.key != key && now <= entry.until);
        entries.truncate(MOST - 1);
        let from = now;
        entries.push_front(Entry { key, from, until });
    }
}

fn key(trust: &Trust, domain: DomainUuid, chain: &[Vec<u8>], server_name: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(trust.fingerprint());
    hash.update(domain.as_bytes());
    for part in std::iter::once(server_name.as_bytes()).chain(chain.iter().map(Vec::as_slice)) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// How long a chain is believed without another look.
const LASTS: Duration = Duration::from_secs(60);

/// How many are remembered.
const MOST: usize = 8;

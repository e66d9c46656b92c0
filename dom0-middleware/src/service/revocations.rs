//! Which tokens do not count any more, for whoever hands tokens out.

use std::sync::Arc;

use proto::id::DomainUuid;
use tokio::sync::watch;

use crate::state::{State, StateError};
use crate::time::UnixTime;
use crate::tokens::Revocations;

/// The revocations as they are now, and a word whenever there are more.
pub(super) type RevokedTokens = watch::Receiver<Arc<Revocations>>;

/// Tells of revocations.
#[derive(Debug)]
pub(super) struct TellRevoked(watch::Sender<Arc<Revocations>>);

impl TellRevoked {
    /// Begins with those of the state at start.
    pub(super) fn load(state: &State) -> Result<Self, StateError> {
        let revocations = Revocations {
            revoked: state.revoked()?.into_keys().collect(),
            tokens_from: state.tokens_from()?,
        };
        Ok(Self(watch::Sender::new(Arc::new(revocations))))
    }

    /// For one more who listens.
    pub(super) fn listen(&self) -> RevokedTokens {
        self.0.subscribe()
    }

    /// As they are now.
    pub(super) fn now(&self) -> Arc<Revocations> {
        Arc::clone(&self.0.borrow())
    }

    /// A token was revoked.
    pub(super) fn token(&self, cti: [u8; 16]) {
        self.0.send_modify(|told| {
            Arc::make_mut(told).revoked.insert(cti);
        });
    }

    /// Tokens of a domain count from then on.
    pub(super) fn tokens_from(&self, domain: DomainUuid, from: UnixTime) {
        self.0.send_modify(|told| {
            Arc::make_mut(told).tokens_from.insert(domain, from);
        });
    }
}

//! Who lives now, for whoever runs something for each domain.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::id::{DomId, DomainUuid};
use tokio::sync::watch;

use super::census::Census;

/// The live domains that have a good UUID which no other live domain has, as xenstore had them last,
/// and a word whenever they are others. While xenstore cannot be read they stay as they are.
pub type Living = watch::Receiver<Arc<BTreeMap<DomId, DomainUuid>>>;

/// Tells who lives.
#[derive(Debug, Default)]
pub(super) struct TellLiving(watch::Sender<Arc<BTreeMap<DomId, DomainUuid>>>);

impl TellLiving {
    /// For one more who listens.
    pub(super) fn listen(&self) -> Living {
        self.0.subscribe()
    }

    /// Tells of this census; nobody hears of it when it is as the one before.
    pub(super) fn tell(&self, census: &Census) {
        let living = census.unmistakable();
        self.0.send_if_modified(|told| {
            let is_news = **told != living;
            if is_news {
                *told = Arc::new(living);
            }
            is_news
        });
    }
}

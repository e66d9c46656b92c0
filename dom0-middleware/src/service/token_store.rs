//! The connection over which tokens get into xenstore.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::id::{DomId, DomainUuid};
use thiserror::Error;
use tokio::time::timeout;
use tracing::{info, warn};
use xenstore_client::{Watch, Xenstore, XenstoreError};

use crate::tokens::NodeAction;
use crate::xen::{Put, clear_ended, put_token};

/// The time that xenstored has for all requests about one domain.
const NODE_TIME: Duration = Duration::from_secs(1);

/// The time that it has for all that former domains have left.
const CLEAR_TIME: Duration = Duration::from_secs(5);

/// What is watched so that the end of xenstored is noticed at once: it happens rarely.
const WATCHED: &str = "@releaseDomain";

/// A connection that is made when it is needed.
#[derive(Default)]
pub(super) struct TokenStore {
    /// While it is good, and a watch by which its end is noticed.
    connected: Option<(Xenstore, Watch)>,
    /// Over it, what former domains have left was taken away.
    is_cleared: bool,
}

/// Why something was not done.
#[derive(Debug, Error)]
pub(super) enum StoreFault {
    /// That is the one domain's business.
    #[error(transparent)]
    Refused(XenstoreError),
    /// The connection is of no more use.
    #[error(transparent)]
    Lost(XenstoreError),
    /// The same.
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
}

impl From<XenstoreError> for StoreFault {
    fn from(error: XenstoreError) -> Self {
        match error {
            XenstoreError::Refused(_) => Self::Refused(error),
            _ => Self::Lost(error),
        }
    }
}

impl TokenStore {
    /// Waits for the end of the connection, if there is one.
    pub(super) async fn ended(&mut self) -> XenstoreError {
        let Some((_, watch)) = &mut self.connected else {
            return std::future::pending().await;
        };
        loop {
            if let Err(error) = watch.changed().await {
                return error;
            }
        }
    }

    /// Whatever is asked next is asked over another connection, and what stood in xenstore may not
    /// stand there any more.
    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }

    /// Does one thing at the node of a domain.
    pub(super) async fn put(&mut self, action: &NodeAction) -> Result<Put, StoreFault> {
        let token = action.token.as_ref().map(|token| token.text.as_str());
        let putting = async {
            let store = self.store().await?;
            put_token(store, action.domid, action.domain, token).await
        };
        in_time(NODE_TIME, putting).await
    }

    /// Takes away what an earlier run has left of domains that have ended, once over each
    /// connection.
    pub(super) async fn clear_ended(
        &mut self,
        living: &BTreeMap<DomId, DomainUuid>,
    ) -> Result<(), StoreFault> {
        if self.is_cleared {
            return Ok(());
        }
        let clearing = async { clear_ended(self.store().await?, living).await };
        match in_time(CLEAR_TIME, clearing).await {
            Ok(0) => {}
            Ok(domains) => info!(
                domains,
                "tokens of domains that have ended were taken from xenstore"
            ),
            // Nobody reads them, and who runs now waits for a token.
            Err(StoreFault::Refused(error)) => {
                warn!(%error, "tokens of domains that have ended stay in xenstore");
            }
            Err(lost) => return Err(lost),
        }
        self.is_cleared = true;
        Ok(())
    }

    async fn store(&mut self) -> Result<&Xenstore, XenstoreError> {
        let (store, _) = match &mut self.connected {
            Some(connected) => connected,
            place @ None => {
                let store = Xenstore::connect().await?;
                let watch = store.watch(WATCHED).await?;
                place.insert((store, watch))
            }
        };
        Ok(store)
    }
}

async fn in_time<T>(
    time: Duration,
    asking: impl Future<Output = Result<T, XenstoreError>>,
) -> Result<T, StoreFault> {
    match timeout(time, asking).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreFault::Late(time)),
    }
}

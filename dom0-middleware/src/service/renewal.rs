//! The channel key's certificate, renewed while the service runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use crate::channel_key::{ChannelKey, HvKeyFile};
use crate::error::Causes;
use crate::time::{Now, UnixTime};

/// How often the calendar is looked at: it may be set, so nothing longer is waited for.
const LOOK: Duration = Duration::from_secs(60);

/// Renews the certificate when it is due, for ever. A failure is logged and tried again at the next
/// look; connections are refused only once the certificate has ended.
pub(super) async fn renew(key: Arc<ChannelKey>, hv_key: HvKeyFile) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let now = Now::read().unix;
        if key.is_due(now) {
            let (key, hv_key) = (Arc::clone(&key), hv_key.clone());
            // The HV key reads files and works for some milliseconds.
            let renewed = tokio::task::spawn_blocking(move || renew_once(&key, &hv_key, now));
            if renewed.await.is_err() {
                error!("renewing the channel's certificate did not end");
            }
        }
    }
}

fn renew_once(key: &ChannelKey, hv_key: &HvKeyFile, now: UnixTime) {
    let renewed = match hv_key.load() {
        Ok(signer) => key
            .renew(&signer, now)
            .map_err(|error| Causes(&error).to_string()),
        Err(error) => Err(Causes(&error).to_string()),
    };
    match renewed {
        Ok(()) => info!(until = %key.not_after(), "channel certificate renewed"),
        Err(error) => error!(
            error, until = %key.not_after(),
            "cannot renew the channel's certificate; it is tried again each minute, and without it \
             no guest can connect once it has ended"
        ),
    }
}

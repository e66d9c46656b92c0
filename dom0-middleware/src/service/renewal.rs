//! The channel key's certificate, renewed while the service runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

use crate::channel_key::{ChannelKey, HvKey, Presence, renew_if_due};
use crate::time::Now;

/// How often the calendar is looked at: it may be set, so nothing longer is waited for.
const LOOK: Duration = Duration::from_secs(60);

/// Renews the certificate when it is due, for ever. A failure is logged and tried again at the next
/// look; connections are refused only once the certificate has ended.
pub(super) async fn renew(key: Arc<ChannelKey>, hv_key: HvKey) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let now = Now::read().unix;
        if !key.is_due(now) {
            continue;
        }
        let (due, hv_key) = (Arc::clone(&key), hv_key.clone());
        // The HV key reads files and works for some milliseconds; in a card it takes a second.
        match tokio::task::spawn_blocking(move || renew_if_due(&due, &hv_key, now)).await {
            Ok(Some(Ok(()))) => info!(until = %key.not_after(), "channel certificate renewed"),
            Ok(Some(Err(error))) => error!(
                error, until = %key.not_after(),
                "cannot renew the channel's certificate; it is tried again each minute, and without \
                 it no guest can connect once it has ended"
            ),
            Ok(None) => {}
            Err(_) => error!("renewing the channel's certificate did not end"),
        }
    }
}

/// How often it is looked whether the HV key's card is in its reader.
const LOOK_FOR_CARD: Duration = Duration::from_secs(2);

/// Says when the card with the HV key leaves and comes back, for ever. Connections stand without it,
/// and new ones are made as long as the channel's certificate is good.
pub(super) async fn watch_card(key: Arc<ChannelKey>, hv_key: HvKey) {
    let Some(card) = hv_key.card() else {
        return;
    };
    let mut look = interval(LOOK_FOR_CARD);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let hv_key = hv_key.clone();
        // The daemon of the readers may take its time.
        match tokio::task::spawn_blocking(move || hv_key.look()).await {
            Ok(Some(Presence::Gone(why))) => warn!(
                card, why, until = %key.not_after(),
                "the card with the HV key is gone: no token is issued without it, and no guest can \
                 connect once the channel's certificate has ended; put it back"
            ),
            Ok(Some(Presence::Back)) => info!(card, "the card with the HV key is there again"),
            Ok(None) => {}
            Err(_) => error!(card, "looking for the card with the HV key did not end"),
        }
    }
}

//! The certificate of the channel key, renewed when it is due. No clock: the time is told.

use super::hv_key::HvKey;
use super::key::ChannelKey;
use crate::error::Causes;
use crate::time::UnixTime;

/// Has the key certified anew if half the life of its certificate is over, by the HV key, which is
/// taken from where it is and let go. `None` if it is not due.
///
/// To be called again and again: after a failure the certificate in use stays in use to its end, and
/// each further call tries again. A PIN that a card did not accept is not sent again by that.
///
/// # Errors
/// What was wrong, for people; the HV key remembers it as its problem.
pub(crate) fn renew_if_due(
    key: &ChannelKey,
    hv_key: &HvKey,
    now: UnixTime,
) -> Option<Result<(), String>> {
    key.is_due(now).then(|| {
        hv_key.lend(|signer| {
            let renewed = key.renew(signer, now);
            renewed.map_err(|error| Causes(&error).to_string())
        })
    })
}

//! The tokens that one guest shows, looked at so rarely that it costs nobody else anything.

use std::sync::Arc;
use std::time::Duration;

use proto::hv::HvCertificate;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::mapping::ShownToken;

/// From one look at a signature to the next. An agent has a new token once in a month.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks at the tokens of one connection. The same one is looked at once, and others in turn, each
/// after a pause: while it lasts nothing more is read from that guest.
#[derive(Debug)]
pub(super) struct Examiner {
    /// The HV certificates of this host, by which tokens are signed.
    issuers: Arc<[HvCertificate]>,
    /// The key that authenticated the guest in TLS, in DER.
    spki: Vec<u8>,
    last: Mutex<Option<Last>>,
}

/// What was looked at last.
#[derive(Debug)]
struct Last {
    token: Vec<u8>,
    shown: ShownToken,
    at: Instant,
}

impl Examiner {
    pub(super) fn new(issuers: Arc<[HvCertificate]>, spki: Vec<u8>) -> Self {
        Self {
            issuers,
            spki,
            last: Mutex::default(),
        }
    }

    /// What this token shows.
    pub(super) async fn examine(&self, token: &[u8]) -> ShownToken {
        let mut last = self.last.lock().await;
        if let Some(last) = &*last {
            if last.token == token {
                return last.shown.clone();
            }
            sleep_until(last.at + PAUSE).await;
        }
        let shown = ShownToken::examine(token, &self.spki, &self.issuers);
        *last = Some(Last {
            token: token.to_vec(),
            shown: shown.clone(),
            at: Instant::now(),
        });
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_token_and_the_same_one_again_wait_for_nothing_and_others_do() {
        let examiner = Examiner::new(Arc::new([]), Vec::new());
        let begun = Instant::now();
        let first = examiner.examine(b"one").await;
        assert!(matches!(first, ShownToken::Rejected(_)));
        for _ in 0..10_000 {
            assert_eq!(examiner.examine(b"one").await, first);
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for number in 1..=3_u8 {
            examiner.examine(&[number]).await;
            assert_eq!(begun.elapsed(), PAUSE * number.into());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_token_is_told_from_a_bad_one() {
        let examiner = Examiner::new(Arc::new([]), Vec::new());
        assert_eq!(examiner.examine(b"").await, ShownToken::Missing);
    }
}

//! What the operator says about one card.

use std::time::Duration;

use proto::id::Seid;

use super::pin::PinSource;
use super::profile::CardProfile;

/// Everything a worker must know of its card before it sees it.
#[derive(Debug, Clone)]
pub struct CardSettings {
    /// The name this card goes by.
    pub seid: Seid,
    /// How to speak to it.
    pub profile: CardProfile,
    /// Whether the configuration describes it: then the first card that comes is adopted.
    pub configured: bool,
    /// Where its user PIN is, as the configuration says; `None` for a card that asks for none.
    pub pin: Option<PinSource>,
    /// The longest one APDU may take.
    pub apdu_timeout: Duration,
    /// The longest one handshake may hold the card, waiting for the guest included.
    pub handshake_timeout: Duration,
}

impl CardSettings {
    /// Settings for `seid` with the limits of the design: 10 s for an APDU, 30 s for a handshake.
    #[must_use]
    pub fn new(seid: Seid, profile: CardProfile, pin: Option<PinSource>) -> Self {
        Self {
            seid,
            profile,
            configured: true,
            pin,
            apdu_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(30),
        }
    }
}

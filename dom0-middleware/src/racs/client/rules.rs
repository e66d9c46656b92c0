//! What differs between servers.

use std::time::Duration;

/// What a server has room and patience for.
///
/// Source: specs/racs.md §9, §15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerRules {
    /// How many answers of 256 bytes fit a response.
    pub full_answers: usize,
    /// How long a session lives, whatever is done in it; `None` for as long as it is used.
    pub session_life: Option<Duration>,
    /// Whether it is sent several commands in one request.
    pub batches: bool,
}

impl ServerRules {
    /// The published servers of the protocol's author; what they take, ours take.
    pub const PUBLISHED: Self = Self {
        full_answers: 13,
        session_life: Some(Duration::from_secs(600)),
        batches: true,
    };

    /// The server of `dom0-middleware`.
    pub const TESSERA: Self = Self {
        full_answers: 100,
        session_life: None,
        batches: true,
    };

    /// When a session of this age should be replaced: well before its server ends it, maybe in the
    /// middle of something.
    #[must_use]
    pub fn replace_after(&self) -> Option<Duration> {
        Some(self.session_life?.saturating_sub(LIFE_MARGIN))
    }
}

/// A handshake takes 30 s at most.
const LIFE_MARGIN: Duration = Duration::from_secs(60);

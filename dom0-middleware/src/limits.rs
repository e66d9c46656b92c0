//! What a guest may use up, and how long things may take.

use std::time::Duration;

use proto::agent::MAX_FRAME;

/// Limits of the service. The defaults are those of the design, §9 and §6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections of one domain at the same time.
    pub connections_per_domain: usize,
    /// Connections of one domain, among them, that speak RACS at the same time.
    pub racs_per_domain: usize,
    /// How long a guest may have its card for raw APDUs without sending any.
    pub racs_idle: Duration,
    /// Handshakes of one domain in progress at the same time, waiting ones included.
    pub handshakes_per_domain: usize,
    /// Sessions of one domain remembered after their handshake; the oldest is forgotten first.
    pub sessions_per_domain: usize,
    /// Handshakes that may wait for one card.
    pub queue_per_card: usize,
    /// From a new connection to a good `hello`.
    pub hello: Duration,
    /// From taking the card to the keys.
    pub handshake: Duration,
    /// One command to a card.
    pub apdu: Duration,
    /// How long a card waits for a guest while other handshakes wait for the card.
    pub peer_wait: Duration,
    /// How long a card waits for a guest when nobody else wants it.
    pub peer_wait_alone: Duration,
    /// For how long what was made with a card can be resumed, from the first handshake on; then all of
    /// it is forgotten, and the card is needed again. `None`: as long as servers allow.
    pub resume_for: Option<Duration>,
    /// Reading who is behind a domid; unreadable after that.
    pub domain_read: Duration,
    /// Silence of a guest after which it is asked for a sign of life.
    pub ping_after: Duration,
    /// Time for that sign.
    pub ping_answer: Duration,
    /// Bytes of one handshake, each way.
    pub handshake_bytes: usize,
    /// Longest frame taken from a guest, in bytes, without its length.
    pub frame_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_domain: 4,
            racs_per_domain: 2,
            racs_idle: Duration::from_secs(60),
            handshakes_per_domain: 256,
            sessions_per_domain: 4_096,
            queue_per_card: 64,
            hello: Duration::from_secs(5),
            handshake: Duration::from_secs(30),
            apdu: Duration::from_secs(10),
            peer_wait: Duration::from_secs(2),
            peer_wait_alone: Duration::from_secs(10),
            resume_for: None,
            domain_read: Duration::from_millis(250),
            ping_after: Duration::from_secs(60),
            ping_answer: Duration::from_secs(20),
            handshake_bytes: 256 << 10,
            frame_bytes: MAX_FRAME,
        }
    }
}

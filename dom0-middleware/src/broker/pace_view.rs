//! What the operator sees of how long cards take.

use proto::id::IdentityName;
use serde::{Deserialize, Serialize};

/// How long the work of one card takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacesView {
    /// Full handshakes; nothing where the card only signs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub full: Option<PaceView>,
    /// Resumed ones; nothing where they do not need the card.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resumed: Option<PaceView>,
    /// Of a card that signs: one signature, for each identity.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub signatures: Vec<SignatureView>,
}

impl PacesView {
    /// The work that the card has become slow at, in words.
    pub fn drifted(&self) -> impl Iterator<Item = (String, &PaceView)> {
        let handshakes = [("full", &self.full), ("resumed", &self.resumed)];
        let handshakes = handshakes.into_iter().filter_map(|(kind, pace)| {
            let pace = pace.as_ref()?;
            Some((format!("a {kind} handshake"), pace))
        });
        let signatures = self.signatures.iter().map(|view| {
            let work = format!("a signature of {}", view.identity);
            (work, &view.pace)
        });
        handshakes
            .chain(signatures)
            .filter(|(_, pace)| pace.drifted)
    }
}

/// How long a signature of one identity takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureView {
    /// The identity.
    pub identity: IdentityName,
    /// How long.
    #[serde(flatten)]
    pub pace: PaceView,
}

/// How long one kind of work takes on a card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceView {
    /// For how long the next one is expected to hold the card, in milliseconds.
    pub expected_ms: u64,
    /// How many were measured; with 0 the expectation is an assumption.
    pub measured: u32,
    /// What the card itself took of the last ones, in milliseconds, their average.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub card_ms: Option<u64>,
    /// The same of its first ones, once there were enough of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usual_ms: Option<u64>,
    /// Whether it has become much slower than it was.
    pub drifted: bool,
}

//! What the machines are told, and how far they go.

use crate::card::profile::PivProfile;

/// The fixed terms of a machine.
#[derive(Debug, Clone)]
pub struct PivParameters {
    /// How to speak to the card.
    pub profile: PivProfile,
}

impl PivParameters {
    /// Those of a card with this profile.
    #[must_use]
    pub fn new(profile: PivProfile) -> Self {
        Self { profile }
    }
}

/// All commands of an opening: 24 certificates of 17,000 bytes and what is around them.
pub(super) const MAX_OPENING_COMMANDS: u32 = 4096;

/// All commands of a signature: three links and their answer, twice, and the PIN between.
pub(super) const MAX_SIGNING_COMMANDS: u32 = 64;

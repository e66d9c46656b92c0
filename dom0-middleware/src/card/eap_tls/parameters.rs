//! What a run of the driver is given besides the card.

use proto::agent::Door;
use proto::tls::ProtocolVersion;

use crate::card::profile::EapTlsProfile;
use crate::card::report::CardFeatures;

/// Everything the driver would otherwise have to draw, look up or assume.
#[derive(Debug, Clone)]
pub struct DriverParameters {
    /// How to speak to the card.
    pub profile: EapTlsProfile,
    /// EAP identifier of the start packet; the next packets count on from it.
    pub first_identifier: u8,
    /// The time in the start packet, Unix seconds. Old cards put it into their random.
    pub unix_time: u32,
    /// What a card without INS 8A is made to offer instead of a session it must forget: random, and
    /// the same from one opening of the card to the next.
    pub forgotten_session_id: [u8; 32],
    /// Which steps to take that a handshake could do without.
    pub steps: OptionalSteps,
    /// Whether the last thing that the card was told is to come to rest under the same identity
    /// ([`closing`](super::closing)): it need not be told again.
    pub at_rest: bool,
}

impl DriverParameters {
    /// Parameters with every step on.
    #[must_use]
    pub fn new(
        profile: EapTlsProfile,
        first_identifier: u8,
        unix_time: u32,
        forgotten_session_id: [u8; 32],
    ) -> Self {
        Self {
            profile,
            first_identifier,
            unix_time,
            forgotten_session_id,
            steps: OptionalSteps::default(),
            at_rest: false,
        }
    }
}

/// Steps that cost little and that old recordings lack. All on by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionalSteps {
    /// Look at the PIN state before VERIFY.
    pub probe_pin: bool,
    /// List identities, read their certificates, probe for optional commands.
    pub inventory: bool,
    /// Set-Identity before a handshake.
    pub set_identity: bool,
    /// Reset-State before a handshake.
    pub reset_state: bool,
    /// Set-Identity after a handshake.
    pub set_identity_at_end: bool,
}

impl Default for OptionalSteps {
    fn default() -> Self {
        Self {
            probe_pin: true,
            inventory: true,
            set_identity: true,
            reset_state: true,
            set_identity_at_end: true,
        }
    }
}

/// Which optional commands a card was seen to have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// INS 8A: server name, ALPN, versions, forgetting.
    pub parameters: bool,
    /// Method function C2: a session id can be stored over the card's own.
    pub store_session_id: bool,
    /// Get-State.
    pub state: bool,
    /// INS 8A takes TLS 1.3 for the next handshake.
    pub tls13: bool,
}

impl Capabilities {
    /// Whether the card can be made to forget its stored session.
    #[must_use]
    pub fn can_forget(self) -> bool {
        self.parameters || self.store_session_id
    }

    /// The highest version run through the card. TLS 1.3 takes Get-State besides (§9.3): nothing
    /// else tells when the card is done.
    #[must_use]
    pub fn max_version(self) -> ProtocolVersion {
        match self.tls13 && self.state {
            true => ProtocolVersion::TLS1_3,
            false => ProtocolVersion::TLS1_2,
        }
    }
}

impl From<Capabilities> for CardFeatures {
    fn from(capabilities: Capabilities) -> Self {
        Self {
            door: Door::EapTls,
            server_name: capabilities.parameters,
            alpn: capabilities.parameters,
            version_range: capabilities.parameters,
            forget: capabilities.can_forget(),
            max_version: capabilities.max_version(),
        }
    }
}

/// The lowest version asked of a card that takes a range.
pub(super) const MIN_VERSION: ProtocolVersion = ProtocolVersion::TLS1_2;

/// Commands of one handshake, its retries included: 256 KiB in segments of 240 bytes and back in
/// blocks of 256 need about 2,200.
pub(super) const MAX_COMMANDS: u32 = 4096;

/// Commands to open a card: 32 identities with 64 KiB of certificate each would need 8,300.
pub(super) const MAX_OPENING_COMMANDS: u32 = 10_000;

/// Identities taken from one card.
pub(super) const MAX_IDENTITIES: usize = 32;

/// Empty packets sent to a single-step card for one flight; a known one needs ten (§5.6).
pub(super) const MAX_EMPTY_PACKETS: u32 = 64;

//! What may be chosen about a card without personalising it anew.

use proto::tls::ProtocolVersion;

/// The choices.
#[derive(Debug, Clone, Copy)]
pub struct CardSettings {
    /// The largest EAP packet that the card sends, bytes; at least [`Self::MIN_EAP_PACKET`].
    pub max_eap_packet: usize,
    /// The highest TLS version offered when the host asks for none: 1.2 or 1.3.
    pub highest_version: ProtocolVersion,
    /// Whether it takes extended APDUs; known cards do not.
    pub extended_length: bool,
}

impl CardSettings {
    /// Room for the headers and some data: what the oldest draft asked cards to keep to is 240.
    pub const MIN_EAP_PACKET: usize = 32;
    /// A length field of two bytes.
    pub const MAX_EAP_PACKET: usize = 65_535;
}

impl Default for CardSettings {
    fn default() -> Self {
        Self {
            max_eap_packet: 1494,
            highest_version: ProtocolVersion::TLS1_2,
            extended_length: false,
        }
    }
}

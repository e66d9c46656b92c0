//! The card's flight on its way out, one EAP packet at a time.

use super::packet;

/// A flight cut into fragments no longer than the card's largest EAP packet.
///
/// Source: EAP-TLS card specification §6.
#[derive(Default)]
pub(super) struct Outbound {
    flight: Vec<u8>,
    sent: usize,
    fragment_len: usize,
}

impl Outbound {
    /// A flight to send in packets of at most `max_packet` bytes.
    pub(super) fn new(flight: Vec<u8>, max_packet: usize) -> Self {
        let fragment_len = max_packet.saturating_sub(packet::FIRST_OVERHEAD).max(1);
        Self {
            flight,
            sent: 0,
            fragment_len,
        }
    }

    /// Whether everything was sent.
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.flight.len()
    }

    /// The next packet, an empty one if nothing is left.
    pub(super) fn next_packet(&mut self, identifier: u8) -> Vec<u8> {
        let rest = self.flight.get(self.sent..).unwrap_or_default();
        if rest.is_empty() {
            return packet::empty(identifier);
        }
        let (fragment, rest) = rest.split_at(rest.len().min(self.fragment_len));
        let total = (self.sent == 0).then_some(self.flight.len());
        let packet = packet::fragment(identifier, total, !rest.is_empty(), fragment);
        self.sent += fragment.len();
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_of_1800_bytes_goes_in_1484_and_316() {
        let mut outbound = Outbound::new(vec![0x16; 1800], 1494);
        let first = outbound.next_packet(0x16);
        assert_eq!(
            (first.len(), &first[..10]),
            (1494, &[2, 0x16, 0x05, 0xD6, 13, 0xC0, 0, 0, 0x07, 0x08][..])
        );
        assert!(!outbound.is_empty());
        let last = outbound.next_packet(0x17);
        assert_eq!(
            (last.len(), &last[..6]),
            (322, &[2, 0x17, 0x01, 0x42, 13, 0][..])
        );
        assert!(outbound.is_empty());
        assert_eq!(outbound.next_packet(0x18), [2, 0x18, 0, 6, 13, 0]);
    }

    #[test]
    fn a_short_flight_still_declares_its_length() {
        let mut outbound = Outbound::new(vec![1, 2, 3], 1494);
        assert_eq!(
            outbound.next_packet(5),
            [2, 5, 0, 13, 13, 0x80, 0, 0, 0, 3, 1, 2, 3]
        );
    }
}

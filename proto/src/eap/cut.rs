//! Cutting a flight into packets and a packet into APDUs.

use super::tls::{EapTls, EapTlsFlags};
use crate::apdu::CommandApdu;

/// The smallest EAP-TLS packet that [`fragments`] makes: a first fragment with one byte.
pub const MIN_FRAGMENT: usize = FIRST_OVERHEAD + 1;

/// Cuts a flight into EAP-TLS request packets of at most `max_packet` bytes each.
///
/// One packet with flags 00 if it fits; otherwise the first with flags C0 and the flight's length,
/// the ones between with 40, the last with 00. Identifiers count up from `first_identifier` and
/// wrap. `max_packet` is the length of the EAP packet, header included, [`MIN_FRAGMENT`] to 65,535
/// bytes; others are taken for the nearest of these. `flight` is below 4 GiB.
///
/// Source: RFC 5216 §2.1.5; specs/eap-tls-card.md §6.
#[must_use]
pub fn fragments(flight: &[u8], first_identifier: u8, max_packet: usize) -> Vec<Vec<u8>> {
    let max_packet = max_packet.clamp(MIN_FRAGMENT, u16::MAX.into());
    let mut identifier = first_identifier;
    let mut packet = |flags, total, data| {
        let fragment = EapTls { flags, total, data };
        let packet = fragment.request(identifier).expect("cut to fit");
        identifier = identifier.wrapping_add(1);
        packet
    };
    let room_in_first = max_packet - FIRST_OVERHEAD;
    let room = max_packet - OVERHEAD;
    if flight.len() <= room {
        return vec![packet(EapTlsFlags::NONE, None, flight)];
    }
    let total = u32::try_from(flight.len()).expect("a flight is below 4 GiB");
    let (first, rest) = flight.split_at(room_in_first);
    let mut packets = vec![packet(EapTlsFlags::FIRST_FRAGMENT, Some(total), first)];
    let mut rest = rest.chunks(room).peekable();
    while let Some(data) = rest.next() {
        let flags = match rest.peek() {
            Some(_) => EapTlsFlags::MIDDLE_FRAGMENT,
            None => EapTlsFlags::NONE,
        };
        packets.push(packet(flags, None, data));
    }
    packets
}

/// Cuts a packet into pieces for one APDU each, of at most `max_segment` bytes: 1 to 255, for extended
/// APDUs to 65,535; others are taken for the nearest of these. Each piece comes with whether more follow (bit 0 of P1).
///
/// Source: specs/eap-tls-card.md §5.5.
pub fn segments(packet: &[u8], max_segment: usize) -> impl Iterator<Item = (bool, &[u8])> {
    let mut pieces = packet
        .chunks(max_segment.clamp(1, CommandApdu::MAX_LONG_DATA))
        .peekable();
    std::iter::from_fn(move || {
        let piece = pieces.next()?;
        Some((pieces.peek().is_some(), piece))
    })
}

/// Code, identifier, length, method, flags.
const OVERHEAD: usize = 6;
/// The same with the flight's length.
const FIRST_OVERHEAD: usize = OVERHEAD + 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::eap::{EapPacket, Reassembled, Reassembly};

    #[test]
    fn a_flight_that_fits_is_one_packet() {
        let expected = [1, 0x22, 0, 8, 0x0D, 0, 0x16, 0x03];
        assert_eq!(fragments(&[0x16, 0x03], 0x22, 12), [expected]);
        assert_eq!(fragments(&[7; 6], 0, 12).len(), 1);
        assert_eq!(fragments(&[7; 7], 0, 12).len(), 2);
    }

    #[test]
    fn the_recorded_flight_of_1761_bytes_is_cut_where_the_record_cuts_it() {
        // Two packets of 1010 and 767 bytes, identifiers 15 and 16.
        let packets = fragments(&[0; 1761], 0x15, 1010);
        assert_eq!(packets.len(), 2);
        let first = [1, 0x15, 0x03, 0xF2, 0x0D, 0xC0, 0, 0, 0x06, 0xE1];
        assert_eq!(packets[0][..10], first);
        assert_eq!(packets[1][..6], [1, 0x16, 0x02, 0xFF, 0x0D, 0]);
        let segment_lens: Vec<_> = segments(&packets[0], 240)
            .map(|(more, s)| (more, s.len()))
            .collect();
        let expected = [
            (true, 240),
            (true, 240),
            (true, 240),
            (true, 240),
            (false, 50),
        ];
        assert_eq!(segment_lens, expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn fragments_come_together_to_the_flight(
            flight in prop::collection::vec(any::<u8>(), 1..2000), first: u8, max_packet in 0..600usize,
        ) {
            let packets = fragments(&flight, first, max_packet);
            let mut reassembly = Reassembly::new(flight.len());
            let mut whole = None;
            for (place, bytes) in packets.iter().enumerate() {
                prop_assert!(bytes.len() <= max_packet.max(MIN_FRAGMENT));
                let packet = EapPacket::decode(bytes).expect("a packet");
                let expected = first.wrapping_add(u8::try_from(place % 256).expect("a byte"));
                prop_assert_eq!(packet.identifier, expected);
                let fragment = EapTls::decode(&packet).expect("EAP-TLS");
                prop_assert!(whole.is_none());
                if let Reassembled::Flight(bytes) = reassembly.push(&fragment).expect("in order") {
                    whole = Some(bytes);
                }
            }
            prop_assert_eq!(whole, Some(flight));
        }

        #[test]
        fn segments_are_the_packet(
            packet in prop::collection::vec(any::<u8>(), 1..2000), max in 0..300usize,
        ) {
            let pieces: Vec<_> = segments(&packet, max).collect();
            let (last, others) = pieces.split_last().expect("at least one");
            prop_assert!(!last.0 && others.iter().all(|(more, _)| *more));
            prop_assert!(pieces.iter().all(|(_, piece)| piece.len() <= max.max(1)));
            let joined: Vec<u8> = pieces.iter().flat_map(|(_, piece)| *piece).copied().collect();
            prop_assert_eq!(joined, packet);
        }
    }
}

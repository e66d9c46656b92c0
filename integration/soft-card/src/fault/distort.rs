//! The answer that comes out.

use super::kind::FaultKind;

/// What comes out in place of `response`, for the kinds that change it; it ends with the status
/// word.
pub(crate) fn distort(kind: FaultKind, response: &[u8]) -> Vec<u8> {
    let (data, sw) = response.split_at(response.len().saturating_sub(2));
    match kind {
        FaultKind::Garbage if data.is_empty() => [&GARBAGE[..], sw].concat(),
        FaultKind::Garbage => data
            .iter()
            .map(|byte| !byte)
            .chain(sw.iter().copied())
            .collect(),
        FaultKind::Truncated if data.is_empty() => sw.iter().take(1).copied().collect(),
        FaultKind::Truncated => data
            .iter()
            .take(data.len() / 2)
            .chain(sw)
            .copied()
            .collect(),
        FaultKind::WrongSw => vec![0x6F, 0x00],
        FaultKind::WrongEapId => changed(response, 1, |id| !id),
        FaultKind::WrongEapLength => changed(response, 3, |low| low ^ 1),
        FaultKind::WrongEapType => changed(response, 4, |_| TYPE_MD5),
        FaultKind::Nak => {
            let id = data.get(1).copied().unwrap_or_default();
            vec![CODE_RESPONSE, id, 0, 6, TYPE_NAK, 0, 0x90, 0x00]
        }
        FaultKind::Empty9000 => vec![0x90, 0x00],
        FaultKind::Endless9F => [&GARBAGE[..], &[0x9F, 0x10]].concat(),
        FaultKind::Loop61 => vec![0x61, 0x10],
        FaultKind::ShortKeyBlock => [data.get(..data.len() / 2).unwrap_or_default(), sw].concat(),
        FaultKind::OtherSuite => changed(response, 1, |low| low ^ 1),
        FaultKind::Mute
        | FaultKind::Slow
        | FaultKind::Reset
        | FaultKind::Removed
        | FaultKind::OtherCertificate
        | FaultKind::PinForgotten
        | FaultKind::WrongSignature => response.to_vec(),
    }
}

fn changed(response: &[u8], place: usize, change: impl FnOnce(u8) -> u8) -> Vec<u8> {
    let mut response = response.to_vec();
    if let Some(byte) = response.get_mut(place) {
        *byte = change(*byte);
    }
    response
}

/// Data in an answer that has none.
const GARBAGE: [u8; 16] = [0xA5; 16];
const CODE_RESPONSE: u8 = 2;
/// RFC 3748 §5.3, §5.4.
const TYPE_NAK: u8 = 3;
const TYPE_MD5: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distorted_answers_differ_from_the_true_one() {
        for kind in [FaultKind::Garbage, FaultKind::Truncated, FaultKind::WrongSw] {
            for response in [&[0x90, 0x00][..], &[1, 2, 3, 4, 0x90, 0x00]] {
                assert_ne!(distort(kind, response), response, "{kind:?}");
            }
        }
        assert_eq!(
            distort(FaultKind::Truncated, &[1, 2, 3, 4, 0x90, 0]),
            [1, 2, 0x90, 0]
        );
        assert_eq!(
            distort(FaultKind::Garbage, &[0x0F, 0x90, 0]),
            [0xF0, 0x90, 0]
        );
    }

    #[test]
    fn each_fault_of_an_eap_packet_changes_one_field() {
        let packet = [2, 7, 0, 6, 13, 0, 0x9F, 0x20];
        for (kind, expected) in [
            (FaultKind::WrongEapId, [2, 0xF8, 0, 6, 13, 0, 0x9F, 0x20]),
            (FaultKind::WrongEapLength, [2, 7, 0, 7, 13, 0, 0x9F, 0x20]),
            (FaultKind::WrongEapType, [2, 7, 0, 6, 4, 0, 0x9F, 0x20]),
            (FaultKind::Nak, [2, 7, 0, 6, 3, 0, 0x90, 0x00]),
        ] {
            assert_eq!(distort(kind, &packet), expected, "{kind:?}");
        }
    }

    #[test]
    fn exports_are_changed_where_it_shows() {
        assert_eq!(
            distort(FaultKind::OtherSuite, &[0x13, 0x01, 0x90, 0]),
            [0x13, 0x00, 0x90, 0]
        );
        assert_eq!(
            distort(FaultKind::ShortKeyBlock, &[1, 2, 3, 4, 0x90, 0]),
            [1, 2, 0x90, 0]
        );
    }
}

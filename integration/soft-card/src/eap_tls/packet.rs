//! EAP packets as a card reads and writes them.
//!
//! Reading is loose where cards are loose: the length field is not compared with the bytes that
//! came, so a start packet may carry its Unix time behind its end.
//!
//! ```text
//! request   01 | identifier | length2 | 0D | flags | [TLS length4] | TLS data
//! response  02 | identifier | length2 | 0D | flags | [TLS length4] | TLS data
//! ```
//!
//! Source: EAP-TLS card specification §5.6, §6; RFC 3748 §4, RFC 5216 §3.

/// What a request asks the card to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    /// EAP-Request/Identity.
    Identity,
    /// EAP-TLS start, flags exactly 20, with the Unix time if there was one.
    Start { unix_time: Option<u32> },
    /// EAP-TLS data; `more`: further fragments follow.
    Data { more: bool, data: &'a [u8] },
    /// A method that no identity of this card uses, from the list of those it knows of.
    ForeignMethod,
    /// Ignored: a response, Success, Failure, or too short for anything.
    Nothing,
}

/// Reads a request; returns it with its identifier.
pub(super) fn read(packet: &[u8]) -> (u8, Request<'_>) {
    let [REQUEST, identifier, _, _, method, rest @ ..] = packet else {
        return (0, Request::Nothing);
    };
    let request = match *method {
        METHOD_IDENTITY => Request::Identity,
        0x04 | 0x07 | 0x14 => Request::ForeignMethod,
        _ => read_tls(rest),
    };
    (*identifier, request)
}

fn read_tls(rest: &[u8]) -> Request<'_> {
    match rest {
        [] => Request::Nothing,
        [FLAG_START, rest @ ..] => {
            let unix_time = rest.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
            Request::Start { unix_time }
        }
        [flags, rest @ ..] => {
            let skipped = if flags & FLAG_LENGTH == 0 {
                0
            } else {
                TLS_LENGTH_LEN
            };
            let Some(data) = rest.get(skipped..) else {
                return Request::Nothing;
            };
            Request::Data {
                more: flags & FLAG_MORE != 0,
                data,
            }
        }
    }
}

/// EAP-Response/Identity.
pub(super) fn identity(identifier: u8, eap_id: &str) -> Vec<u8> {
    response(identifier, METHOD_IDENTITY, &[eap_id.as_bytes()])
}

/// EAP-Response/NAK without a wish: `02 id 00 05 03`.
pub(super) fn nak(identifier: u8) -> Vec<u8> {
    response(identifier, METHOD_NAK, &[])
}

/// The empty EAP-TLS packet: acknowledgement, or nothing to send.
pub(super) fn empty(identifier: u8) -> Vec<u8> {
    response(identifier, METHOD_TLS, &[&[0]])
}

/// One fragment; the first one declares the length of the whole flight.
pub(super) fn fragment(identifier: u8, total: Option<usize>, more: bool, data: &[u8]) -> Vec<u8> {
    let more = if more { FLAG_MORE } else { 0 };
    match total {
        None => response(identifier, METHOD_TLS, &[&[more], data]),
        Some(total) => {
            let total = u32::try_from(total)
                .expect("a flight is far below 4 GiB")
                .to_be_bytes();
            response(
                identifier,
                METHOD_TLS,
                &[&[FLAG_LENGTH | more], &total, data],
            )
        }
    }
}

fn response(identifier: u8, method: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = HEADER_LEN + parts.iter().map(|part| part.len()).sum::<usize>();
    let length = u16::try_from(length).expect("a packet is cut to its largest size");
    let mut packet = vec![RESPONSE, identifier];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.push(method);
    parts.iter().for_each(|part| packet.extend_from_slice(part));
    packet
}

/// Bytes in front of the TLS data of a first fragment; the largest overhead there is.
pub(super) const FIRST_OVERHEAD: usize = HEADER_LEN + 1 + TLS_LENGTH_LEN;

const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
const METHOD_IDENTITY: u8 = 1;
const METHOD_NAK: u8 = 3;
const METHOD_TLS: u8 = 13;
const FLAG_LENGTH: u8 = 0x80;
const FLAG_MORE: u8 = 0x40;
const FLAG_START: u8 = 0x20;
/// Code, identifier, length, type.
const HEADER_LEN: usize = 5;
const TLS_LENGTH_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_recognised_by_flags_20_alone() {
        let start = [1, 7, 0, 6, 13, 0x20, 0x6B, 0, 0xE2, 0x6A];
        assert_eq!(
            read(&start),
            (
                7,
                Request::Start {
                    unix_time: Some(0x6B00_E26A)
                }
            )
        );
        let length_ten = [1, 7, 0, 10, 13, 0x20, 0x6B, 0, 0xE2, 0x6A];
        assert_eq!(
            read(&length_ten),
            (
                7,
                Request::Start {
                    unix_time: Some(0x6B00_E26A)
                }
            )
        );
        assert_eq!(read(&start[..6]), (7, Request::Start { unix_time: None }));
        let with_more = [1, 7, 0, 6, 13, 0x60];
        assert_eq!(
            read(&with_more),
            (
                7,
                Request::Data {
                    more: true,
                    data: &[]
                }
            )
        );
    }

    #[test]
    fn the_length_field_of_data_is_optional() {
        let with = [1, 7, 0, 11, 13, 0xC0, 0, 0, 0, 9, 0x16];
        assert_eq!(
            read(&with),
            (
                7,
                Request::Data {
                    more: true,
                    data: &[0x16]
                }
            )
        );
        let without = [1, 7, 0, 7, 13, 0, 0x16];
        assert_eq!(
            read(&without),
            (
                7,
                Request::Data {
                    more: false,
                    data: &[0x16]
                }
            )
        );
        assert_eq!(read(&with[..9]), (7, Request::Nothing));
    }

    #[test]
    fn other_codes_and_stumps_are_ignored() {
        for packet in [
            &[][..],
            &[1],
            &[1, 2, 0, 5],
            &[1, 2, 0, 5, 13],
            &[2, 7, 0, 6, 13, 0],
        ] {
            assert_eq!(read(packet).1, Request::Nothing, "{packet:02X?}");
        }
        assert_eq!(read(&[3, 2, 0, 4]).1, Request::Nothing);
    }

    #[test]
    fn methods_are_sorted_as_the_published_card_does() {
        assert_eq!(
            read(&[1, 2, 0, 8, 4, 2, 0x12, 0x34]).1,
            Request::ForeignMethod
        );
        assert_eq!(
            read(&[1, 2, 0, 6, 0x15, 0x20]).1,
            Request::Start { unix_time: None }
        );
        assert_eq!(read(&[1, 2, 0, 5, 1]).1, Request::Identity);
    }

    #[test]
    fn responses_have_the_length_they_say() {
        assert_eq!(nak(2), [2, 2, 0, 5, 3]);
        assert_eq!(empty(0x15), [2, 0x15, 0, 6, 13, 0]);
        assert_eq!(
            fragment(9, Some(3), true, &[1, 2]),
            [2, 9, 0, 12, 13, 0xC0, 0, 0, 0, 3, 1, 2]
        );
        assert_eq!(fragment(9, None, false, &[1]), [2, 9, 0, 7, 13, 0, 1]);
        assert_eq!(identity(0xA5, "bob"), [2, 0xA5, 0, 8, 1, b'b', b'o', b'b']);
    }
}

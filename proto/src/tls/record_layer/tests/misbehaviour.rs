//! Peers that send what has no place after the handshake, or too much of what has.

use super::pair::{ALL, Event, Pair, TLS12, TLS13};
use crate::error::DecodeError;
use crate::tls::record_layer::post_handshake::key_update;
use crate::tls::{
    AlertDescription, ContentType, HandshakeType, MAX_PLAINTEXT, ProtocolVersion, RecordError,
    TlsError,
};

#[test]
fn content_above_the_limit_is_refused() {
    for suite in ALL {
        let longest = vec![1; MAX_PLAINTEXT];
        assert_eq!(
            Pair::new(suite).server_sends(23, &longest).unwrap(),
            Event::Data(longest)
        );
        let result = Pair::new(suite).server_sends(23, &[1; MAX_PLAINTEXT + 1]);
        assert!(
            matches!(result, Err(RecordError::Overflow { .. })),
            "{suite:04X} {result:?}"
        );
    }
}

#[test]
fn padding_counts_as_content_in_tls13() {
    for suite in TLS13 {
        let padded = |zeros| [&b"data"[..], &[23], &vec![0; zeros]].concat();
        // Content 4, type 1, padding with the zero that the sealing layer adds for the type.
        let fits = MAX_PLAINTEXT + 1 - 4 - 1 - 1;
        let data = Event::Data(b"data".to_vec());
        assert_eq!(
            Pair::new(suite).server_sends(0, &padded(fits)).unwrap(),
            data
        );
        let (max, got) = (MAX_PLAINTEXT + 1, MAX_PLAINTEXT + 2);
        assert_eq!(
            Pair::new(suite).server_sends(0, &padded(fits + 1)),
            Err(RecordError::Overflow { max, got })
        );
    }
}

#[test]
fn a_tls13_record_above_its_limit_is_refused_unopened() {
    let mut record = vec![23, 3, 3, 0x41, 0x01];
    record.resize(5 + 0x4101, 0);
    let overflow = RecordError::Overflow {
        max: 0x4100,
        got: 0x4101,
    };
    assert_eq!(overflow.alert(), Some(AlertDescription::RECORD_OVERFLOW));
    assert_eq!(Pair::new(0x1301).client_opens(&record), Err(overflow));
}

#[test]
fn a_record_of_padding_only_has_no_type() {
    for suite in TLS13 {
        assert_eq!(
            Pair::new(suite).server_sends(0, &[0; 20]),
            Err(RecordError::NoContentType)
        );
        assert_eq!(
            Pair::new(suite).server_sends(0, &[]),
            Err(RecordError::NoContentType)
        );
    }
}

#[test]
fn other_types_of_records_are_refused() {
    for suite in ALL {
        for kind in [20, 24, 99] {
            assert_eq!(
                Pair::new(suite).server_sends(kind, &[1]),
                Err(RecordError::UnexpectedRecord {
                    got: ContentType::from(kind)
                })
            );
        }
    }
    // In TLS 1.3 also by the outer type: CCS for old middleboxes has no place any more.
    let ccs = [20, 3, 3, 0, 1, 1];
    let got = ContentType::ChangeCipherSpec;
    assert_eq!(
        Pair::new(0x1301).client_opens(&ccs),
        Err(RecordError::UnexpectedRecord { got })
    );
}

#[test]
fn records_in_clear_are_refused() {
    for suite in ALL {
        for record in [
            &[21, 3, 3, 0, 2, 1, 0][..],
            &[23, 3, 3, 0, 0],
            &[22, 3, 3, 0, 4, 0, 0, 0, 0],
        ] {
            assert!(
                Pair::new(suite).client_opens(record).is_err(),
                "{suite:04X}"
            );
        }
    }
}

#[test]
fn records_of_another_version_are_refused() {
    for suite in ALL {
        for minor in [1, 2, 4] {
            let mut pair = Pair::new(suite);
            let mut record = pair.server_seals(23, b"data");
            record[2] = minor;
            let got = ProtocolVersion(0x0300 + u16::from(minor));
            assert_eq!(
                pair.client_opens(&record),
                Err(RecordError::RecordVersion { got })
            );
        }
    }
}

#[test]
fn handshake_messages_of_a_handshake_are_refused() {
    for (suite, kinds) in [
        (0xC02F, &[1, 2, 4, 11, 20, 24][..]),
        (0x1301, &[0, 1, 2, 8, 11, 13, 20]),
    ] {
        for kind in kinds {
            assert_eq!(
                Pair::new(suite).server_sends(22, &[*kind, 0, 0, 0]),
                Err(RecordError::UnexpectedMessage {
                    got: HandshakeType::from(*kind)
                })
            );
        }
    }
}

#[test]
fn an_empty_handshake_record_is_refused() {
    for suite in ALL {
        let empty = RecordError::Tls(TlsError::EmptyHandshakeRecord);
        assert_eq!(Pair::new(suite).server_sends(22, &[]), Err(empty));
    }
}

#[test]
fn an_alert_is_two_bytes() {
    for suite in ALL {
        for alert in [&[][..], &[1], &[1, 0, 0], &[1, 0, 1, 0], &[3, 0]] {
            let result = Pair::new(suite).server_sends(21, alert);
            assert!(
                matches!(result, Err(RecordError::Tls(TlsError::Decode(_)))),
                "{alert:?}"
            );
        }
    }
}

#[test]
fn nothing_may_stand_between_the_parts_of_a_message() {
    for (kind, content) in [(23, &b"data"[..]), (23, b""), (21, &[1, 0])] {
        let mut pair = Pair::new(0x1301);
        assert_eq!(
            pair.server_sends(22, &[4, 0, 0, 9, 1]).unwrap(),
            Event::Nothing
        );
        let got = ContentType::from(kind);
        assert_eq!(
            pair.server_sends(kind, content),
            Err(RecordError::Interleaved { got })
        );
    }
}

#[test]
fn a_message_above_64_kib_is_refused_by_its_header() {
    let mut pair = Pair::new(0x1301);
    assert_eq!(
        pair.server_sends(22, &[4, 0, 0xFF, 0xFC]).unwrap(),
        Event::Nothing
    );
    let (what, max, got) = ("handshake message", 0x1_0000, 0x1_0001);
    assert_eq!(
        Pair::new(0x1301).server_sends(22, &[4, 0, 0xFF, 0xFD]),
        Err(TlsError::Decode(DecodeError::TooLong { what, max, got }).into())
    );
}

/// Sends `content` until it is refused; gives the number that passed, and the error.
fn passed(pair: &mut Pair, kind: u8, content: &[u8]) -> (u32, RecordError) {
    for sent in 0..1000 {
        if let Err(error) = pair.server_sends(kind, content) {
            return (sent, error);
        }
    }
    panic!("never refused");
}

#[test]
fn what_can_be_repeated_without_data_is_counted() {
    let too_many = |what, max| (max, RecordError::TooMany { what, max });
    for suite in ALL {
        assert_eq!(
            passed(&mut Pair::new(suite), 23, &[]),
            too_many("empty records", 32)
        );
        assert_eq!(
            passed(&mut Pair::new(suite), 21, &[1, 90]),
            too_many("warnings", 4)
        );
    }
    for suite in TLS12 {
        let hello_request = [0, 0, 0, 0];
        let expected = too_many("HelloRequests", 4);
        assert_eq!(passed(&mut Pair::new(suite), 22, &hello_request), expected);
    }
    let ticket = [4, 0, 0, 1, 9];
    assert_eq!(
        passed(&mut Pair::new(0x1301), 22, &ticket),
        too_many("NewSessionTickets", 32)
    );
    assert_eq!(
        Pair::new(0x1301).server_sends(22, &ticket.repeat(33)),
        Err(RecordError::TooMany {
            what: "NewSessionTickets",
            max: 32
        })
    );

    let mut pair = Pair::new(0x1301);
    for sent in 0..=32 {
        let record = pair.server_seals(22, &key_update(false));
        pair.server_changes_key();
        let expected = match sent {
            32 => Err(RecordError::TooMany {
                what: "KeyUpdates",
                max: 32,
            }),
            _ => Ok(Event::Nothing),
        };
        assert_eq!(pair.client_opens(&record), expected);
    }
}

#[test]
fn data_starts_the_counts_again() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        for _ in 0..3 {
            for _ in 0..32 {
                assert_eq!(pair.server_sends(23, &[]).unwrap(), Event::Nothing);
            }
            for _ in 0..4 {
                assert_eq!(pair.server_sends(21, &[1, 90]).unwrap(), Event::Warning(90));
            }
            assert_eq!(
                pair.server_sends(23, b"data").unwrap(),
                Event::Data(b"data".to_vec())
            );
        }
    }
}

#[test]
fn the_peer_is_told_only_of_its_own_faults() {
    for (error, alert) in [
        (RecordError::Decrypt, Some(AlertDescription::BAD_RECORD_MAC)),
        (
            RecordError::NoContentType,
            Some(AlertDescription::UNEXPECTED_MESSAGE),
        ),
        (
            TlsError::EmptyHandshakeRecord.into(),
            Some(AlertDescription::UNEXPECTED_MESSAGE),
        ),
        (
            TlsError::RecordTooLong {
                max: 18432,
                got: 18433,
            }
            .into(),
            Some(AlertDescription::RECORD_OVERFLOW),
        ),
        (
            TlsError::NotTls {
                got: ProtocolVersion(0x5454),
            }
            .into(),
            Some(AlertDescription::PROTOCOL_VERSION),
        ),
        (RecordError::LimitReached, None),
        (RecordError::ReadClosed, None),
        (RecordError::MissingExplicitNonce, None),
    ] {
        assert_eq!(error.alert(), alert, "{error}");
    }
}

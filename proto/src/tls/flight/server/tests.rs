//! What server flights are taken, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::tls::samples::{
    Direction, ServerHelloSample, certificate_body, ext_aes_flights, hex, message, record,
    split_records, ticket_body,
};
use crate::tls::{CertificateList, CipherSuite, FlightKind, TlsError};

const LIMITS: FlightLimits = FlightLimits { max_bytes: 1 << 16 };
const V: u16 = 0x0303;

fn read(expected: ExpectedFlight, records: &[Vec<u8>]) -> Result<FlightProgress, FlightError> {
    let mut reader = FlightReader::new(expected, LIMITS);
    let mut progress = FlightProgress::NeedMore;
    for bytes in records {
        assert_eq!(
            progress,
            FlightProgress::NeedMore,
            "records after the end of the flight"
        );
        progress = reader.push(Record::decode(bytes).unwrap())?;
    }
    Ok(progress)
}

fn first(records: &[Vec<u8>]) -> Result<FlightProgress, FlightError> {
    read(ExpectedFlight::First, records)
}

fn last(records: &[Vec<u8>]) -> Result<FlightProgress, FlightError> {
    read(ExpectedFlight::Last(ProtocolVersion(V)), records)
}

fn hello() -> Vec<u8> {
    message(2, &ServerHelloSample::default().body())
}

fn certificate() -> Vec<u8> {
    message(11, &certificate_body(&[vec![0x30, 0], vec![0x31, 0]]))
}

fn done() -> Vec<u8> {
    message(14, &[])
}

fn ticket() -> Vec<u8> {
    message(4, &ticket_body(b"ticket"))
}

fn hs(messages: &[Vec<u8>]) -> Vec<u8> {
    record(22, V, &messages.concat())
}

fn ccs() -> Vec<u8> {
    record(20, V, &[1])
}

fn encrypted() -> Vec<u8> {
    record(22, V, &[0xEE; 40])
}

fn whole_records(bytes: &[u8]) -> Vec<Vec<u8>> {
    Record::decode_all(bytes)
        .unwrap()
        .into_iter()
        .map(Record::into_bytes)
        .collect()
}

#[test]
fn the_recorded_full_handshake_is_read() {
    let flights = ext_aes_flights();
    let (opening, end) = (&flights[1], &flights[3]);
    assert_eq!(
        (opening.direction, end.direction),
        (Direction::ToCard, Direction::ToCard)
    );

    let FlightProgress::Complete(flight) = first(&whole_records(&opening.bytes)).unwrap() else {
        panic!("the flight is whole");
    };
    assert_eq!(flight.bytes, opening.bytes);
    let FlightKind::Full {
        server_hello,
        certificates,
        certificate_requested,
    } = flight.kind
    else {
        panic!("the handshake is full");
    };
    assert_eq!(server_hello.version, ProtocolVersion::TLS1_0);
    assert_eq!(server_hello.cipher_suite, CipherSuite(0x002F));
    assert_eq!(server_hello.session_id[..4], hex("8DE896E7"));
    assert_eq!(
        certificates.0.iter().map(Vec::len).collect::<Vec<_>>(),
        [0x371, 0x349]
    );
    assert!(certificate_requested);

    let expected = ExpectedFlight::Last(server_hello.version);
    let progress = read(expected, &whole_records(&end.bytes)).unwrap();
    let kind = FlightKind::Last { new_ticket: None };
    assert_eq!(
        progress,
        FlightProgress::Complete(Flight {
            bytes: end.bytes.clone(),
            kind
        })
    );
}

#[test]
fn the_recorded_abbreviated_handshake_is_read() {
    let recorded = &ext_aes_flights()[5];
    let FlightProgress::Complete(flight) = first(&whole_records(&recorded.bytes)).unwrap() else {
        panic!("the flight is whole");
    };
    assert_eq!(flight.bytes, recorded.bytes);
    let FlightKind::Abbreviated {
        server_hello,
        new_ticket: None,
    } = flight.kind
    else {
        panic!("the handshake is abbreviated");
    };
    assert_eq!(server_hello.session_id.len(), 32);
}

#[test]
fn every_optional_message_may_come_once_in_order() {
    let optional = [
        message(22, &[1; 9]),
        message(12, &[2; 80]),
        message(13, &[3; 20]),
    ];
    for present in 0..8u8 {
        let mut messages = vec![hello(), certificate()];
        messages.extend(
            (0..3)
                .filter(|i| present >> i & 1 == 1)
                .map(|i| optional[i].clone()),
        );
        messages.push(done());
        let FlightProgress::Complete(flight) = first(&[hs(&messages)]).unwrap() else {
            panic!("the flight is whole");
        };
        let FlightKind::Full {
            certificate_requested,
            certificates,
            ..
        } = flight.kind
        else {
            panic!("the handshake is full");
        };
        assert_eq!(certificate_requested, present & 4 != 0);
        assert_eq!(
            certificates,
            CertificateList(vec![vec![0x30, 0], vec![0x31, 0]])
        );
    }
}

#[test]
fn a_ticket_may_come_before_ccs_and_nowhere_else() {
    let new_ticket = Some(b"ticket".to_vec());
    let FlightProgress::Complete(flight) =
        first(&[hs(&[hello(), ticket()]), ccs(), encrypted()]).unwrap()
    else {
        panic!("the flight is whole");
    };
    assert!(
        matches!(flight.kind, FlightKind::Abbreviated { new_ticket: ticket, .. } if ticket == new_ticket)
    );

    let FlightProgress::Complete(flight) = last(&[hs(&[ticket()]), ccs(), encrypted()]).unwrap()
    else {
        panic!("the flight is whole");
    };
    assert_eq!(flight.kind, FlightKind::Last { new_ticket });

    assert!(first(&[hs(&[ticket()])]).is_err());
    assert!(first(&[hs(&[hello(), ticket(), ticket()])]).is_err());
    assert!(first(&[hs(&[hello(), ticket(), certificate()])]).is_err());
    assert!(first(&[hs(&[hello(), certificate(), ticket()])]).is_err());
    assert!(last(&[hs(&[ticket(), ticket()])]).is_err());
}

#[test]
fn tls13_stops_after_server_hello() {
    let sample = ServerHelloSample {
        version: 0x0304,
        suite: 0x1301,
        ..Default::default()
    };
    let records = [hs(&[message(2, &sample.body())])];
    let FlightProgress::Tls13(flight) = first(&records).unwrap() else {
        panic!("the version is TLS 1.3");
    };
    assert_eq!(flight.bytes, records[0]);
    assert!(
        matches!(flight.kind, FlightKind::Tls13Hello { server_hello } if !server_hello.is_retry)
    );

    // The key changes after ServerHello, so its record ends with it (RFC 8446 §5.1).
    let surplus = [hs(&[message(2, &sample.body()), certificate()])];
    assert!(matches!(
        first(&surplus),
        Err(FlightError::Grammar {
            got: FlightItem::Surplus(_),
            ..
        })
    ));
}

#[test]
fn messages_out_of_place_are_refused() {
    let (exchange, request) = (message(12, &[0; 9]), message(13, &[0; 9]));
    let status = message(22, &[0; 9]);
    let wrong: [&[Vec<u8>]; 16] = [
        &[certificate()],
        &[done()],
        &[hello(), hello()],
        &[hello(), done()],
        &[hello(), exchange.clone()],
        &[hello(), certificate(), certificate()],
        &[hello(), certificate(), hello()],
        &[hello(), certificate(), exchange.clone(), status.clone()],
        &[hello(), certificate(), request.clone(), exchange.clone()],
        &[hello(), certificate(), exchange.clone(), exchange],
        &[hello(), certificate(), request.clone(), request],
        &[hello(), certificate(), status.clone(), status],
        &[hello(), certificate(), message(20, &[0; 12])],
        &[hello(), certificate(), message(14, &[0])],
        &[message(0, &[]), hello()],
        &[hello(), certificate(), message(99, &[])],
    ];
    for messages in wrong {
        let together = first(&[hs(messages)]);
        assert!(
            matches!(together, Err(FlightError::Grammar { .. })),
            "{together:?}"
        );
        let records: Vec<_> = messages
            .iter()
            .map(|m| hs(std::slice::from_ref(m)))
            .collect();
        assert_eq!(first(&records), together, "each in its record");
    }
}

#[test]
fn records_out_of_place_are_refused() {
    let data = || record(23, V, &[0; 30]);
    let wrong: [&[Vec<u8>]; 12] = [
        &[ccs()],
        &[data()],
        &[hs(&[hello()]), data()],
        &[hs(&[hello()]), record(24, V, &[1, 0, 1])],
        &[hs(&[hello(), certificate()]), ccs()],
        &[hs(&[hello()]), ccs(), ccs()],
        &[hs(&[hello()]), ccs(), data()],
        &[hs(&[hello()]), record(20, V, &[2])],
        &[hs(&[hello()]), record(20, V, &[1, 1])],
        &[hs(&[hello()]), record(20, V, &[])],
        &[hs(&[hello()]), record(22, V, &[])],
        &[hs(&[hello()]), ccs(), record(22, V, &[])],
    ];
    for records in wrong {
        let result = first(records);
        assert!(
            matches!(result, Err(FlightError::Grammar { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn a_message_may_not_be_cut_off_by_ccs() {
    let cut = record(22, V, &[&hello()[..], &[4, 0, 0]].concat());
    assert_eq!(
        first(&[cut, ccs()]),
        Err(grammar(
            "the rest of a message",
            FlightItem::UnfinishedMessage
        ))
    );
}

#[test]
fn bytes_after_server_hello_done_are_refused() {
    let surplus = hs(&[hello(), certificate(), done(), vec![0]]);
    assert_eq!(
        first(&[surplus]),
        Err(grammar("nothing more", FlightItem::Surplus(1)))
    );
}

#[test]
fn every_record_carries_the_version_of_server_hello() {
    // The record of ServerHello itself.
    let other = record(22, 0x0301, &hello());
    assert!(matches!(
        first(&[other]),
        Err(FlightError::Grammar {
            got: FlightItem::RecordVersion(ProtocolVersion(0x0301)),
            ..
        })
    ));
    // Later ones, of both kinds.
    assert!(first(&[hs(&[hello()]), record(22, 0x0302, &certificate())]).is_err());
    assert!(first(&[hs(&[hello()]), record(20, 0x0301, &[1])]).is_err());
    assert!(first(&[hs(&[hello()]), ccs(), record(22, 0x0301, &[1; 40])]).is_err());
    // The last flight in another version than the first.
    let expected = ExpectedFlight::Last(ProtocolVersion::TLS1_0);
    assert!(read(expected, &[ccs(), encrypted()]).is_err());
}

#[test]
fn an_alert_ends_the_flight_wherever_it_comes() {
    let alert = record(21, V, &[2, 40]);
    let expected = FlightError::Alert(Alert::decode(&[2, 40]).unwrap());
    let before: [&[Vec<u8>]; 4] = [
        &[],
        &[hs(&[hello()])],
        &[hs(&[hello(), certificate()])],
        &[hs(&[hello()]), ccs()],
    ];
    for records in before {
        let records = [records, std::slice::from_ref(&alert)].concat();
        assert_eq!(first(&records), Err(expected.clone()));
    }
    // A warning is no better, and a malformed alert no alert.
    assert!(matches!(
        first(&[record(21, V, &[1, 112])]),
        Err(FlightError::Alert(_))
    ));
    assert!(matches!(
        first(&[record(21, V, &[2, 40, 0])]),
        Err(FlightError::Tls(_))
    ));
    // Once encrypted it cannot be read.
    let item = FlightItem::Record(ContentType::Alert);
    assert_eq!(
        last(&[ccs(), record(21, V, &[0xEE; 26])]),
        Err(grammar("an encrypted handshake record", item))
    );
}

#[test]
fn a_server_without_certificate_is_refused() {
    let empty = message(11, &certificate_body(&[]));
    assert_eq!(
        first(&[hs(&[hello(), empty])]),
        Err(grammar("a server certificate", FlightItem::NoCertificate))
    );
}

#[test]
fn a_flight_above_the_limit_is_refused_before_it_is_held() {
    let mut reader = FlightReader::new(ExpectedFlight::First, FlightLimits { max_bytes: 200 });
    let part = Record::decode(&record(22, V, &[&message(2, &[0; 150])[..90]].concat())).unwrap();
    assert_eq!(reader.push(part.clone()), Ok(FlightProgress::NeedMore));
    let rest = Record::decode(&record(22, V, &[0; 101])).unwrap();
    assert_eq!(reader.push(rest), Err(FlightError::TooLong { max: 200 }));

    // A message that announces more than the limit is refused by its header.
    let mut reader = FlightReader::new(ExpectedFlight::First, FlightLimits { max_bytes: 200 });
    let header = Record::decode(&record(22, V, &[2, 0, 1, 0])).unwrap();
    assert!(matches!(
        reader.push(header),
        Err(FlightError::Tls(TlsError::Decode(_)))
    ));
}

#[test]
fn after_its_end_a_reader_takes_nothing() {
    let push =
        |reader: &mut FlightReader, bytes: &[u8]| reader.push(Record::decode(bytes).unwrap());
    let mut reader = FlightReader::new(ExpectedFlight::First, LIMITS);
    assert!(push(&mut reader, &record(23, V, &[0])).is_err());
    for bytes in [
        hs(&[hello()]),
        hs(&[vec![2, 0]]),
        ccs(),
        record(21, V, &[2, 40]),
    ] {
        let result = push(&mut reader, &bytes);
        assert!(
            matches!(
                result,
                Err(FlightError::Grammar {
                    expected: "nothing more",
                    ..
                })
            ),
            "{result:?}"
        );
    }
    let mut reader = FlightReader::new(ExpectedFlight::First, LIMITS);
    let whole = push(&mut reader, &hs(&[hello(), certificate(), done()]));
    assert!(matches!(whole, Ok(FlightProgress::Complete(_))));
    assert!(push(&mut reader, &ccs()).is_err());
}

#[test]
fn errors_read_as_what_was_expected_and_what_came() {
    let error = first(&[hs(&[hello(), done()])]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected Certificate, NewSessionTicket or ChangeCipherSpec, got ServerHelloDone"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_of_the_messages_into_records_gives_the_same_flight(size in 1..400usize) {
        let messages = [hello(), certificate(), message(12, &[7; 300]), done()].concat();
        let bytes = split_records(22, V, &messages, size);
        let progress = first(&whole_records(&bytes)).unwrap();
        let FlightProgress::Complete(flight) = progress else { panic!("the flight is whole") };
        prop_assert_eq!(flight.bytes, bytes);
        let is_full = matches!(flight.kind, FlightKind::Full { .. });
        prop_assert!(is_full);
    }

    #[test]
    fn a_strict_prefix_is_never_a_flight(which in prop::sample::select(vec![1usize, 3, 5]),
                                         cut in any::<prop::sample::Index>()) {
        let recorded = &ext_aes_flights()[which].bytes;
        let mut records = crate::tls::RecordReader::new();
        records.push(&recorded[..cut.index(recorded.len())]);
        let expected = if which == 3 {
            ExpectedFlight::Last(ProtocolVersion::TLS1_0)
        } else {
            ExpectedFlight::First
        };
        let mut reader = FlightReader::new(expected, LIMITS);
        while let Some(record) = records.next_record().unwrap() {
            prop_assert_eq!(reader.push(record), Ok(FlightProgress::NeedMore));
        }
    }

    #[test]
    fn arbitrary_records_do_not_panic(
        records in prop::collection::vec(
            (20..25u8, prop::collection::vec(prop_oneof![0..25u8, any::<u8>()], 0..60)), 0..6,
        ),
    ) {
        let mut reader = FlightReader::new(ExpectedFlight::First, LIMITS);
        for (content_type, payload) in records {
            let bytes = record(content_type, V, &payload);
            if reader.push(Record::decode(&bytes).unwrap()).is_err() {
                break;
            }
        }
    }
}

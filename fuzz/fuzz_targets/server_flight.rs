//! What a TLS server sends: records, and the flights in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::tls::{
    ExpectedFlight, FlightKind, FlightLimits, FlightProgress, FlightReader, ProtocolVersion,
    RecordReader, ServerHello,
};

const MAX_BYTES: usize = 8_000;

fuzz_target!(|input: &[u8]| {
    let _ = ServerHello::decode(input);
    let Some((&choice, input)) = input.split_first() else {
        return;
    };
    let expected = match choice & 3 {
        0 | 1 => ExpectedFlight::First,
        2 => ExpectedFlight::Last(ProtocolVersion::TLS1_2),
        _ => ExpectedFlight::Last(ProtocolVersion::TLS1_0),
    };
    let limits = FlightLimits {
        max_bytes: MAX_BYTES,
    };
    let mut flights = FlightReader::new(expected, limits);
    let mut records = RecordReader::new();
    let mut before = Vec::new();
    // In pieces of any length: where a server's bytes are cut says nothing.
    for part in input.chunks(usize::from(choice >> 2) + 1) {
        records.push(part);
        loop {
            let record = match records.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(_) => return,
            };
            before.extend_from_slice(record.bytes());
            match flights.push(record) {
                Ok(FlightProgress::NeedMore) => assert!(before.len() <= MAX_BYTES),
                Ok(FlightProgress::Complete(flight) | FlightProgress::Tls13(flight)) => {
                    assert_eq!(flight.bytes, before, "no byte is lost or added");
                    assert!(input.starts_with(&before));
                    if let FlightKind::Full { certificates, .. } = flight.kind {
                        assert!(certificates.leaf().is_some());
                    }
                    return;
                }
                Err(_) => return,
            }
        }
    }
});

//! What a card says to the server: its ClientHello, and its flight with the Finished.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::tls::{
    ClientFlight, ClientFlightKind, ClientHello, Record, explicit_nonce, next_explicit_nonce,
};

fuzz_target!(|input: &[u8]| {
    let _ = ClientHello::decode(input);
    if let Ok(hello) = ClientHello::from_records(input) {
        let _ = hello.offers_tls13();
    }
    for kind in [ClientFlightKind::Full, ClientFlightKind::Abbreviated] {
        let Ok(flight) = ClientFlight::read(input, kind) else {
            continue;
        };
        assert_eq!(flight.bytes, input);
        assert!(input.ends_with(&flight.finished_record));
        Record::decode(&flight.finished_record).expect("a whole record");
        if let Some(nonce) = explicit_nonce(&flight.finished_record) {
            assert_ne!(next_explicit_nonce(nonce), nonce);
        }
    }
});

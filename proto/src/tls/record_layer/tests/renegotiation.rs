//! HelloRequest in TLS 1.2: nobody ever renegotiates.

use super::pair::{Event, Pair, TLS12, split};
use crate::tls::{RecordError, TlsError};

const HELLO_REQUEST: [u8; 4] = [0; 4];
const NO_RENEGOTIATION: u8 = 100;

#[test]
fn a_hello_request_is_declined_before_the_next_data() {
    for suite in TLS12 {
        let mut pair = Pair::new(suite);
        assert_eq!(
            pair.server_sends(22, &HELLO_REQUEST).unwrap(),
            Event::Nothing
        );
        assert!(pair.client.has_pending_control());
        let records = pair.client_seals(b"data");
        let [warning, data] = &split(&records)[..] else {
            panic!("a warning and data")
        };
        assert_eq!(
            pair.server_opens(warning).unwrap(),
            Event::Warning(NO_RENEGOTIATION)
        );
        assert_eq!(
            pair.server_opens(data).unwrap(),
            Event::Data(b"data".to_vec())
        );
        assert!(!pair.client.has_pending_control());
    }
}

#[test]
fn several_requests_before_the_next_write_are_declined_once() {
    let mut pair = Pair::new(0xC02F);
    pair.server_sends(22, &HELLO_REQUEST.repeat(2)).unwrap();
    pair.server_sends(22, &HELLO_REQUEST).unwrap();
    let [warning] = &pair.client_flushes()[..] else {
        panic!("one record")
    };
    assert_eq!(
        pair.server_opens(warning).unwrap(),
        Event::Warning(NO_RENEGOTIATION)
    );
    assert!(pair.client_flushes().is_empty());
}

#[test]
fn a_hello_request_has_no_body() {
    let result = Pair::new(0xC02F).server_sends(22, &[0, 0, 0, 1, 0]);
    assert!(
        matches!(result, Err(RecordError::Tls(TlsError::Decode(_)))),
        "{result:?}"
    );
}

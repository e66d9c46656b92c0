//! Keys that are used up, with limits small enough to reach.

use super::pair::{Event, Pair, TLS12, TLS13, split};
use crate::tls::{MAX_PLAINTEXT, RecordError};

/// 64 records per key, 16 of them kept back; the peer is asked when 4 are left.
const RECORDS: u64 = 64;

#[test]
fn tls12_seals_no_data_near_the_limit_but_can_still_close() {
    for suite in TLS12 {
        let mut pair = Pair::with_limit(suite, RECORDS);
        // Finished was record 0.
        for _ in 1..48 {
            let records = pair.client_seals(b"data");
            assert_eq!(pair.server_reads(&records), b"data");
        }
        let mut out = Vec::new();
        assert_eq!(
            pair.client.seal(b"data", &mut out),
            Err(RecordError::LimitReached)
        );
        assert_eq!(out, []);
        pair.client.seal_close_notify(&mut out).unwrap();
        assert_eq!(pair.server_opens(&out).unwrap(), Event::CloseNotify);
    }
}

#[test]
fn tls12_seals_all_of_the_data_or_none() {
    let mut pair = Pair::with_limit(0xC02F, RECORDS);
    let mut out = Vec::new();
    let too_much = vec![0; 48 * MAX_PLAINTEXT];
    assert_eq!(
        pair.client.seal(&too_much, &mut out),
        Err(RecordError::LimitReached)
    );
    assert_eq!(out, []);
    pair.client
        .seal(&too_much[MAX_PLAINTEXT..], &mut out)
        .unwrap();
    assert_eq!(split(&out).len(), 47);
}

#[test]
fn tls12_answers_from_what_is_kept_back() {
    let mut pair = Pair::with_limit(0xC02F, RECORDS);
    pair.server_sends(22, &[0, 0, 0, 0]).unwrap();
    let records = pair.client_seals(&vec![0; 47 * MAX_PLAINTEXT]);
    assert_eq!(split(&records).len(), 48);
}

#[test]
fn tls13_changes_its_key_in_time_and_goes_on() {
    for suite in TLS13 {
        let mut pair = Pair::with_limit(suite, RECORDS);
        let mut updates = 0;
        for _ in 0..200 {
            let records = pair.client_seals(b"data");
            for record in split(&records) {
                match pair.server_opens(&record).unwrap() {
                    Event::Data(data) => assert_eq!(data, b"data"),
                    Event::Nothing => updates += 1,
                    other => panic!("{other:?}"),
                }
            }
            // A change for our own sake asks nothing of the peer.
            assert!(!pair.server.has_pending_control());
        }
        assert_eq!(updates, 200 / 48);
    }
}

#[test]
fn tls13_changes_its_key_within_one_write() {
    let mut pair = Pair::with_limit(0x1303, RECORDS);
    let data = vec![5; 100 * MAX_PLAINTEXT];
    let records = pair.client_seals(&data);
    let mut read = 0;
    for record in split(&records) {
        if let Event::Data(data) = pair.server_opens(&record).unwrap() {
            read += data.len();
        }
    }
    assert_eq!(read, data.len());
}

#[test]
fn tls13_asks_the_peer_once_when_its_key_is_nearly_used_up() {
    let mut pair = Pair::with_limit(0x1301, RECORDS);
    for sent in 1..RECORDS {
        assert_eq!(
            pair.server_sends(23, b"data").unwrap(),
            Event::Data(b"data".to_vec())
        );
        assert_eq!(pair.client.has_pending_control(), sent == 60, "{sent}");
        for request in pair.client_flushes() {
            assert_eq!(pair.server_opens(&request).unwrap(), Event::Nothing);
            assert!(pair.server.has_pending_control());
        }
    }
    // The mirror now answers the request, and both go on.
    let mut answer = Vec::new();
    pair.server.flush_control(&mut answer).unwrap();
    assert_eq!(pair.client_opens(&answer).unwrap(), Event::Nothing);
    assert_eq!(
        pair.server_sends(23, b"data").unwrap(),
        Event::Data(b"data".to_vec())
    );
    let records = pair.client_seals(b"data");
    assert_eq!(pair.server_reads(&records), b"data");
}

#[test]
fn a_peer_that_changes_its_key_unasked_is_not_asked() {
    let mut pair = Pair::with_limit(0x1301, RECORDS);
    for _ in 0..60 {
        pair.server_sends(23, b"data").unwrap();
    }
    assert!(pair.client.has_pending_control());
    pair.server_updates(false).unwrap();
    assert!(!pair.client.has_pending_control());
}

#[test]
fn a_peer_that_uses_its_key_beyond_the_limit_is_refused() {
    for suite in [0xC02F, 0x1301] {
        // A peer that keeps no limit of its own.
        let mut pair = Pair::with_limit(suite, 1000);
        pair.client = Pair::with_limit(suite, RECORDS).client;
        let first = if suite == 0xC02F { 1 } else { 0 };
        for _ in first..RECORDS {
            pair.server_sends(23, b"data").unwrap();
        }
        assert_eq!(
            pair.server_sends(23, b"data"),
            Err(RecordError::LimitReached)
        );
    }
}

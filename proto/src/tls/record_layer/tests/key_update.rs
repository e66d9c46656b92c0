//! Changes of keys in TLS 1.3.

use super::pair::{Event, Pair, TLS13, split};
use crate::tls::record_layer::post_handshake::key_update;
use crate::tls::{RecordError, TlsError};

impl Pair {
    /// The server changes its key.
    pub(super) fn server_updates(&mut self, request: bool) -> Result<Event, RecordError> {
        let record = self.server_seals(22, &key_update(request));
        self.server_changes_key();
        self.client_opens(&record)
    }
}

#[test]
fn the_peers_next_records_are_under_its_next_key() {
    for suite in TLS13 {
        let mut pair = Pair::new(suite);
        assert_eq!(
            pair.server_sends(23, b"1").unwrap(),
            Event::Data(b"1".to_vec())
        );
        for _ in 0..3 {
            assert_eq!(pair.server_updates(false).unwrap(), Event::Nothing);
            assert!(!pair.client.has_pending_control());
            assert_eq!(
                pair.server_sends(23, b"2").unwrap(),
                Event::Data(b"2".to_vec())
            );
        }
        // Nothing was asked of us: our key is the first.
        let records = pair.client_seals(b"data");
        assert_eq!(pair.server_reads(&records), b"data");
    }
}

#[test]
fn a_request_is_answered_under_the_old_key_before_the_next_data() {
    for suite in TLS13 {
        let mut pair = Pair::new(suite);
        assert_eq!(pair.server_updates(true).unwrap(), Event::Nothing);
        assert!(pair.client.has_pending_control());
        let records = pair.client_seals(b"data");
        assert!(!pair.client.has_pending_control());
        let [answer, data] = &split(&records)[..] else {
            panic!("an answer and data")
        };
        // The mirror opens the answer with the old key and changes by it.
        assert_eq!(pair.server_opens(answer).unwrap(), Event::Nothing);
        assert_eq!(
            pair.server_opens(data).unwrap(),
            Event::Data(b"data".to_vec())
        );
        // It asks for nothing itself: the mirror owes us no answer.
        assert!(!pair.server.has_pending_control());
    }
}

#[test]
fn an_answer_can_be_sent_without_data() {
    for suite in TLS13 {
        let mut pair = Pair::new(suite);
        pair.server_updates(true).unwrap();
        let [answer] = &pair.client_flushes()[..] else {
            panic!("one record")
        };
        assert_eq!(pair.server_opens(answer).unwrap(), Event::Nothing);
        assert!(pair.client_flushes().is_empty());
        let records = pair.client_seals(b"data");
        assert_eq!(pair.server_reads(&records), b"data");
    }
}

#[test]
fn several_requests_before_the_next_write_share_one_answer() {
    let mut pair = Pair::new(0x1301);
    for request in [true, true, true, false] {
        pair.server_updates(request).unwrap();
    }
    assert_eq!(pair.client_flushes().len(), 1);
    assert!(pair.client_flushes().is_empty());
}

#[test]
fn a_key_update_may_come_in_pieces() {
    let mut pair = Pair::new(0x1301);
    let message = key_update(false);
    let records = [
        pair.server_seals(22, &message[..2]),
        pair.server_seals(22, &message[2..]),
    ];
    pair.server_changes_key();
    for record in records {
        assert_eq!(pair.client_opens(&record).unwrap(), Event::Nothing);
    }
    assert_eq!(
        pair.server_sends(23, b"data").unwrap(),
        Event::Data(b"data".to_vec())
    );
}

#[test]
fn nothing_may_follow_a_key_update_in_its_record() {
    let with = |after: &[u8]| [&key_update(false)[..], after].concat();
    assert_eq!(
        Pair::new(0x1301).server_sends(22, &with(&[4])),
        Err(RecordError::AfterKeyUpdate { got: 1 })
    );
    assert_eq!(
        Pair::new(0x1301).server_sends(22, &with(&key_update(false))),
        Err(RecordError::AfterKeyUpdate { got: 5 })
    );
}

#[test]
fn a_malformed_key_update_is_refused() {
    for message in [&[24, 0, 0, 1, 2][..], &[24, 0, 0, 0], &[24, 0, 0, 2, 0, 0]] {
        let result = Pair::new(0x1301).server_sends(22, message);
        assert!(
            matches!(result, Err(RecordError::Tls(TlsError::Decode(_)))),
            "{result:?}"
        );
    }
}

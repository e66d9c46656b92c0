//! How a connection ends.

use super::pair::{ALL, Event, Pair, TLS12, TLS13};
use crate::tls::{AlertDescription, RecordError};

#[test]
fn each_direction_closes_for_itself() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        let mut bye = Vec::new();
        pair.client.seal_close_notify(&mut bye).unwrap();
        assert_eq!(pair.server_opens(&bye).unwrap(), Event::CloseNotify);
        assert_eq!(pair.server_opens(&bye), Err(RecordError::ReadClosed));

        let mut out = Vec::new();
        assert_eq!(
            pair.client.seal(b"more", &mut out),
            Err(RecordError::WriteClosed)
        );
        assert_eq!(
            pair.client.flush_control(&mut out),
            Err(RecordError::WriteClosed)
        );
        assert_eq!(
            pair.client.seal_close_notify(&mut out),
            Err(RecordError::WriteClosed)
        );
        assert_eq!(out, []);
        // The server may still send.
        assert_eq!(
            pair.server_sends(23, b"rest").unwrap(),
            Event::Data(b"rest".to_vec())
        );
        assert_eq!(pair.server_sends(21, &[1, 0]).unwrap(), Event::CloseNotify);
    }
}

#[test]
fn writing_goes_on_after_the_peer_has_closed() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        assert_eq!(pair.server_sends(21, &[1, 0]).unwrap(), Event::CloseNotify);
        assert_eq!(pair.server_sends(23, b"late"), Err(RecordError::ReadClosed));
        let records = pair.client_seals(b"last words");
        assert_eq!(pair.server_reads(&records), b"last words");
    }
}

#[test]
fn a_fatal_alert_closes_the_peers_direction() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        assert_eq!(pair.server_sends(21, &[2, 48]).unwrap(), Event::Alert(48));
        assert_eq!(pair.server_sends(23, b"data"), Err(RecordError::ReadClosed));
    }
}

#[test]
fn our_fatal_alert_closes_our_direction() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        let mut out = Vec::new();
        pair.client
            .seal_alert(AlertDescription::BAD_RECORD_MAC, &mut out)
            .unwrap();
        assert_eq!(pair.server_opens(&out).unwrap(), Event::Alert(20));
        assert_eq!(
            pair.client.seal(b"more", &mut out),
            Err(RecordError::WriteClosed)
        );
    }
}

#[test]
fn after_an_error_the_peer_can_still_be_told() {
    for suite in ALL {
        let mut pair = Pair::new(suite);
        let mut record = pair.server_seals(23, b"data");
        *record.last_mut().unwrap() ^= 1;
        let error = pair.client_opens(&record).unwrap_err();
        let mut out = Vec::new();
        pair.client
            .seal_alert(error.alert().unwrap(), &mut out)
            .unwrap();
        assert_eq!(pair.server_opens(&out).unwrap(), Event::Alert(20));
    }
}

#[test]
fn a_warning_is_one_by_its_level_in_tls12_only() {
    for suite in TLS12 {
        assert_eq!(
            Pair::new(suite).server_sends(21, &[1, 112]).unwrap(),
            Event::Warning(112)
        );
        assert_eq!(
            Pair::new(suite).server_sends(21, &[1, 90]).unwrap(),
            Event::Warning(90)
        );
    }
    for suite in TLS13 {
        assert_eq!(
            Pair::new(suite).server_sends(21, &[1, 112]).unwrap(),
            Event::Alert(112)
        );
        assert_eq!(
            Pair::new(suite).server_sends(21, &[1, 90]).unwrap(),
            Event::Warning(90)
        );
    }
}

#[test]
fn a_closed_layer_owes_nothing() {
    let mut pair = Pair::new(0x1301);
    assert_eq!(
        pair.server_sends(22, &[24, 0, 0, 1, 1]).unwrap(),
        Event::Nothing
    );
    assert!(pair.client.has_pending_control());
    pair.client.seal_close_notify(&mut Vec::new()).unwrap();
    assert!(!pair.client.has_pending_control());
}

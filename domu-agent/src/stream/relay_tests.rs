use proto::tls::{Alert, AlertDescription, RecordError};

use super::*;
use crate::testing::{Protection, Received, Server};

fn stream(protection: Protection) -> (StreamRelay, Server) {
    let relay = StreamRelay::new(protection.client_layer(), &[]);
    (relay, protection.server())
}

/// Sends what is pending for the server and adds what it reads to `received`.
fn deliver(relay: &mut StreamRelay, server: &mut Server, received: &mut Received) {
    server.open(relay.to_server(), received);
    relay.on_sent_to_server(relay.to_server().len());
}

/// Takes what is pending for the application.
fn take(relay: &mut StreamRelay) -> Vec<u8> {
    let data = relay.to_app().to_vec();
    relay.on_sent_to_app(data.len());
    data
}

#[test]
fn data_goes_both_ways_under_every_protection() {
    let sizes = [0, 1, 16_383, 16_384, 16_385, 100_000];
    for protection in Protection::ALL {
        let (mut relay, mut server) = stream(protection);
        for (fill, size) in (1..).zip(sizes) {
            let data = vec![fill; size];
            let mut received = Received::default();
            relay.on_app_bytes(&data);
            deliver(&mut relay, &mut server, &mut received);
            assert!(received.data == data, "{protection:?} {size} to the server");
            for part in server.seal(&data).chunks(1_000) {
                relay.on_server_bytes(part);
            }
            assert!(
                take(&mut relay) == data,
                "{protection:?} {size} to the application"
            );
        }
        assert!(relay.failure().is_none() && !relay.is_over());
    }
}

#[test]
fn what_came_with_the_handshake_is_the_first_data() {
    for protection in Protection::ALL {
        let mut server = protection.server();
        let mut surplus = server.seal(b"first ");
        let second = server.seal(b"second");
        surplus.extend_from_slice(&second[..7]);
        let mut relay = StreamRelay::new(protection.client_layer(), &surplus);
        relay.on_server_bytes(&second[7..]);
        assert_eq!(take(&mut relay), b"first second");
    }
}

#[test]
fn the_end_of_the_application_is_a_close_notify_and_data_still_comes() {
    for protection in Protection::ALL {
        let (mut relay, mut server) = stream(protection);
        relay.on_app_bytes(b"request");
        relay.on_app_end();
        assert!(!relay.wants_app_bytes() && relay.wants_server_bytes());
        assert!(!relay.server_has_all());

        let mut received = Received::default();
        deliver(&mut relay, &mut server, &mut received);
        assert_eq!(received.data, b"request");
        assert!(received.closed && relay.server_has_all() && !relay.is_over());

        relay.on_server_bytes(&server.seal(b"answer"));
        relay.on_server_bytes(&server.close_notify());
        assert!(!relay.app_has_all());
        assert_eq!(take(&mut relay), b"answer");
        assert!(relay.app_has_all() && relay.is_over() && relay.failure().is_none());
    }
}

#[test]
fn after_a_close_notify_of_the_server_the_application_still_sends() {
    let (mut relay, mut server) = stream(Protection::Tls13);
    relay.on_server_bytes(&server.close_notify());
    relay.on_server_end();
    assert!(relay.app_has_all() && relay.wants_app_bytes() && !relay.wants_server_bytes());
    assert!(!relay.is_over());

    let mut received = Received::default();
    relay.on_app_bytes(b"more");
    relay.on_app_end();
    deliver(&mut relay, &mut server, &mut received);
    assert_eq!(received.data, b"more");
    assert!(relay.is_over() && relay.failure().is_none());
}

#[test]
fn an_end_without_close_notify_is_a_failure_behind_the_data() {
    let (mut relay, mut server) = stream(Protection::Tls12Gcm);
    relay.on_server_bytes(&server.seal(b"half of it"));
    relay.on_server_end();
    assert!(matches!(relay.failure(), Some(StreamError::Truncated)));
    assert!(!relay.app_has_all(), "no end of file in order");

    deliver(&mut relay, &mut server, &mut Received::default());
    assert!(!relay.is_over(), "the data comes first");
    assert_eq!(take(&mut relay), b"half of it");
    assert!(relay.is_over());
}

#[test]
fn a_record_cut_short_by_the_end_is_a_failure() {
    let (mut relay, mut server) = stream(Protection::Tls12Gcm);
    let notify = server.close_notify();
    relay.on_server_bytes(&notify[..notify.len() - 1]);
    relay.on_server_end();
    assert!(matches!(relay.failure(), Some(StreamError::Truncated)));
}

#[test]
fn a_fatal_alert_is_a_failure_by_its_name() {
    for protection in Protection::ALL {
        let (mut relay, mut server) = stream(protection);
        let alert = Alert::fatal(AlertDescription::UNKNOWN_CA);
        relay.on_server_bytes(&server.alert(alert));
        let failure = relay.failure().expect("the server gave up");
        assert_eq!(
            failure.to_string(),
            "the server sent a fatal alert unknown_ca"
        );
        assert!(!relay.wants_app_bytes() && !relay.wants_server_bytes());
    }
}

#[test]
fn a_changed_record_is_a_failure_that_the_server_is_told() {
    for protection in Protection::ALL {
        let (mut relay, mut server) = stream(protection);
        let mut bytes = server.seal(b"good");
        let mut bad = server.seal(b"bad");
        *bad.last_mut().expect("not empty") ^= 1;
        bytes.extend(bad);
        relay.on_server_bytes(&bytes);
        let failure = relay.failure();
        assert!(matches!(
            failure,
            Some(StreamError::Record(RecordError::Decrypt))
        ));

        let mut received = Received::default();
        deliver(&mut relay, &mut server, &mut received);
        let alert = Alert::fatal(AlertDescription::BAD_RECORD_MAC);
        assert_eq!(received.alert, Some(alert));
        assert_eq!(take(&mut relay), b"good");
        assert!(relay.is_over());
    }
}

#[test]
fn bytes_that_are_no_records_are_a_failure() {
    let (mut relay, _server) = stream(Protection::Tls13);
    relay.on_server_bytes(b"HTTP/1.1 400 Bad Request");
    assert!(matches!(relay.failure(), Some(StreamError::NotTls(_))));
    assert!(!relay.to_server().is_empty(), "an alert goes out");
}

#[test]
fn each_direction_stops_for_its_own_receiver_only() {
    let (mut relay, mut server) = stream(Protection::Tls12Gcm);
    let chunk = vec![0; 65_536];
    while relay.wants_app_bytes() {
        relay.on_app_bytes(&chunk);
    }
    assert!(relay.to_server().len() < HIGH_WATER + 2 * chunk.len());
    assert!(relay.wants_server_bytes());
    while relay.wants_server_bytes() {
        relay.on_server_bytes(&server.seal(&chunk));
    }
    assert!(relay.to_app().len() < HIGH_WATER + 2 * chunk.len());

    relay.on_sent_to_server(chunk.len());
    relay.on_sent_to_server(chunk.len());
    assert!(relay.wants_app_bytes() && !relay.wants_server_bytes());
}

#[test]
fn a_server_that_takes_nothing_more_is_heard_to_the_end() {
    let (mut relay, mut server) = stream(Protection::Tls13);
    relay.on_app_bytes(b"never arrives");
    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    relay.on_server_write_failed(broken());
    assert!(relay.failure().is_none() && relay.wants_server_bytes());
    let alert = Alert::fatal(AlertDescription::CERTIFICATE_REQUIRED);
    relay.on_server_bytes(&server.alert(alert));
    assert!(matches!(relay.failure(), Some(StreamError::Alert(came)) if *came == alert));

    let (mut relay, mut server) = stream(Protection::Tls13);
    relay.on_server_write_failed(broken());
    relay.on_server_bytes(&server.close_notify());
    assert!(matches!(relay.failure(), Some(StreamError::Server(_))));
}

#[test]
fn an_application_that_is_gone_leaves_a_close_notify() {
    let (mut relay, mut server) = stream(Protection::Tls12ChaCha);
    relay.on_server_bytes(&server.seal(b"nobody reads this"));
    relay.on_app_gone();
    assert!(relay.is_closing() && relay.to_app().is_empty() && !relay.is_over());
    let mut received = Received::default();
    deliver(&mut relay, &mut server, &mut received);
    assert!(received.closed && relay.is_over() && relay.failure().is_none());
}

#[test]
fn the_first_failure_counts() {
    let (mut relay, _server) = stream(Protection::Tls13);
    relay.on_server_end();
    relay.fail(StreamError::Revoked(proto::agent::RefusalCode::NotBound));
    assert!(matches!(relay.into_failure(), Some(StreamError::Truncated)));
}

#[test]
fn tls13_takes_the_next_key_by_itself_and_goes_on_both_ways() {
    let protection = Protection::Tls13;
    let mut relay = StreamRelay::new(protection.short_lived_layer(SHORT_LIFE), &[]);
    let mut server = protection.server();
    let mut received = Received::default();
    let mut sent = Vec::new();
    for _ in 0..10 * SHORT_LIFE {
        sent.extend_from_slice(b"up");
        relay.on_app_bytes(b"up");
        relay.on_server_bytes(&server.seal(b"down"));
        // What the server was asked for goes out without data, and it answers in front of its own.
        deliver(&mut relay, &mut server, &mut received);
        assert_eq!(take(&mut relay), b"down");
    }
    assert!(relay.failure().is_none());
    assert_eq!(received.data, sent);
    // Our own changes, and one each time that the server was asked.
    assert!(received.key_updates > 2 * 9, "{}", received.key_updates);
}

#[test]
fn tls12_ends_with_close_notify_before_its_key_is_used_up() {
    for protection in [Protection::Tls12Gcm, Protection::Tls12ChaCha] {
        let mut relay = StreamRelay::new(protection.short_lived_layer(SHORT_LIFE), &[]);
        let mut server = protection.server();
        let mut received = Received::default();
        let mut taken = 0;
        while relay.wants_app_bytes() {
            assert!(taken < SHORT_LIFE, "{protection:?}");
            relay.on_app_bytes(b"data");
            taken += 1;
            deliver(&mut relay, &mut server, &mut received);
        }
        assert!(matches!(relay.failure(), Some(StreamError::KeyUsedUp)));
        // The last piece was one too many, and none of it was sent.
        let sent = usize::try_from(taken - 1).expect("a few");
        assert_eq!(received.data, b"data".repeat(sent));
        assert!(received.closed && received.alert.is_none());
        assert!(relay.is_over() && !relay.app_has_all());
    }
}

#[test]
fn a_server_that_uses_its_key_too_far_is_left_with_close_notify() {
    for protection in Protection::ALL {
        let mut relay = StreamRelay::new(protection.short_lived_layer(SHORT_LIFE), &[]);
        let mut server = protection.server();
        let mut taken = 0;
        while relay.wants_server_bytes() {
            assert!(taken < 2 * SHORT_LIFE, "{protection:?}");
            relay.on_server_bytes(&server.seal(b"."));
            taken += 1;
        }
        assert!(matches!(relay.failure(), Some(StreamError::KeyUsedUp)));
        assert!(take(&mut relay).len() as u64 >= SHORT_LIFE - 1);
        let mut received = Received::default();
        deliver(&mut relay, &mut server, &mut received);
        assert!(
            received.closed && received.alert.is_none(),
            "{protection:?}"
        );
    }
}

/// Records of a key that is soon used up.
const SHORT_LIFE: u64 = proto::tls::MIN_RECORDS_PER_KEY;

//! Handshakes that must fail, with the right reason and what the server is told.

use proto::tls::{AlertDescription, ContentType, ProtocolVersion, Record};
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs;

use super::bench::{Failure, Key, Pki, Server, SoftCard, VERSIONS, handshake, request};
use crate::card::{HandshakeFault, PolicyFault, SessionError, TrustError, server_alert};
use crate::engine::{EngineRequest, EngineStep, Engines};

fn fail(server: &Server, wish: EngineRequest, card: &SoftCard) -> Failure {
    match handshake(&Engines::new(), wish, server.connect(), card) {
        Ok(done) => panic!("{:?}", done.session),
        Err(failure) => failure,
    }
}

/// The description of an alert in clear.
fn clear(alert: Option<Vec<u8>>) -> AlertDescription {
    let record = Record::decode(&alert.expect("an alert")).expect("one record");
    assert_eq!(record.content_type(), ContentType::Alert);
    AlertDescription(record.payload()[1])
}

#[test]
fn a_server_that_is_not_believed_gets_no_signature() {
    let stranger = Pki::new();
    for version in VERSIONS {
        let card = SoftCard::new(Key::P256);
        let server = Server::of(&stranger, version, aws_lc_rs::default_provider(), true);
        let failure = fail(&server, request(Key::P256), &card);
        let untrusted = SessionError::PeerUntrusted(TrustError::UnknownIssuer);
        assert!(card.asked().is_empty());
        match version {
            ProtocolVersion::TLS1_2 => {
                assert_eq!(failure.error, untrusted);
                assert_eq!(clear(failure.alert), AlertDescription::UNKNOWN_CA);
            }
            // The alert is sealed, and more than an alert it is not.
            _ => {
                assert_eq!(failure.error, untrusted);
                let records = Record::decode_all(&failure.alert.expect("one")).expect("records");
                let alert = records.last().expect("one");
                assert_eq!(alert.payload().len(), 2 + 1 + 16);
            }
        }
    }
}

#[test]
fn a_server_of_another_name_gets_no_signature() {
    for version in VERSIONS {
        let card = SoftCard::new(Key::P256);
        let mut wish = request(Key::P256);
        wish.server_name = "elsewhere.example.org".to_owned();
        let failure = fail(&Server::new(version), wish, &card);
        assert!(matches!(
            failure.error,
            SessionError::PeerUntrusted(TrustError::NameMismatch { .. })
        ));
        assert!(failure.alert.is_some() && card.asked().is_empty());
    }
}

#[test]
fn a_card_that_does_not_sign_ends_the_handshake_with_its_own_reason() {
    for version in VERSIONS {
        let card = SoftCard::that_answers(Key::P256, Err(SessionError::CardRemoved));
        let failure = fail(&Server::new(version), request(Key::P256), &card);
        assert_eq!(failure.error, SessionError::CardRemoved);
        assert_eq!(card.asked().len(), 1);
        // Of the flight that lacks its signature nothing is sent.
        match version {
            ProtocolVersion::TLS1_2 => {
                assert_eq!(clear(failure.alert), AlertDescription::INTERNAL_ERROR);
            }
            _ => assert_eq!(failure.alert, None),
        }
    }
}

#[test]
fn the_card_is_asked_when_the_server_has_proved_itself_and_not_before() {
    for version in VERSIONS {
        let (engines, card) = (Engines::new(), SoftCard::new(Key::P256));
        let (mut engine, hello) = engines.begin(request(Key::P256)).expect("a ClientHello");
        let mut link = Server::new(version).connect();
        link.receive(&hello).expect("a good ClientHello");
        let records = Record::decode_all(&link.flush()).expect("records");
        let (last, before) = records.split_last().expect("a flight");
        for record in before {
            let step = engine.on_records(record.bytes(), card.door());
            let EngineStep::AwaitServer { engine: next, out } = step else {
                panic!("{version}: over too soon");
            };
            // The ChangeCipherSpec of TLS 1.3, which says nothing.
            assert!(out.is_empty() || out == [20, 3, 3, 0, 1, 1]);
            assert!(card.asked().is_empty());
            engine = next;
        }
        match engine.on_records(last.bytes(), card.door()) {
            EngineStep::AwaitServer { out, .. } | EngineStep::Established { out, .. } => {
                assert!(!out.is_empty());
            }
            EngineStep::Failed { error, .. } => panic!("{version}: {error}"),
        }
        assert_eq!(card.asked().len(), 1);
    }
}

#[test]
fn a_wrong_signature_is_the_servers_to_refuse() {
    let wrong = || SoftCard::that_answers(Key::P256, Ok(vec![0x30, 6, 2, 1, 1, 2, 1, 1]));
    let failure = fail(
        &Server::new(ProtocolVersion::TLS1_2),
        request(Key::P256),
        &wrong(),
    );
    let alert = server_alert(&failure.error).expect("the server's alert");
    assert_eq!(alert.to_string(), "fatal alert decrypt_error");
    assert_eq!(failure.alert, None);
    // In TLS 1.3 the client is done before the server says so.
    let server = Server::new(ProtocolVersion::TLS1_3);
    let done = handshake(
        &Engines::new(),
        request(Key::P256),
        server.connect(),
        &wrong(),
    );
    let carried = done.expect("not refused yet").carry();
    assert_eq!(carried.alerts, ["fatal alert decrypt_error"]);
}

#[test]
fn a_server_that_takes_none_of_the_cards_signatures_is_told_apart() {
    let card = SoftCard::new(Key::Rsa2048);
    let mut wish = request(Key::Rsa2048);
    wish.schemes = vec![SignatureScheme::RSA_PKCS1_SHA256];
    let failure = fail(&Server::new(ProtocolVersion::TLS1_3), wish, &card);
    assert_eq!(failure.error, HandshakeFault::NoSignatureScheme.into());
    assert!(card.asked().is_empty());
}

#[test]
fn versions_that_nobody_has_are_against_the_policy() {
    let mut wish = request(Key::P256);
    (wish.min_version, wish.max_version) = (ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1);
    let error = Engines::new().begin(wish).err();
    assert!(matches!(
        error,
        Some(SessionError::Policy(PolicyFault::NoVersion { .. }))
    ));
}

#[test]
fn a_server_without_the_version_says_so_in_its_alert() {
    let card = SoftCard::new(Key::P256);
    let mut wish = request(Key::P256);
    wish.min_version = ProtocolVersion::TLS1_3;
    let failure = fail(&Server::new(ProtocolVersion::TLS1_2), wish, &card);
    let alert = server_alert(&failure.error).expect("the server's alert");
    assert_eq!(alert.description, AlertDescription::PROTOCOL_VERSION);
}

#[test]
fn what_rustls_cannot_be_asked_for_is_refused_before_it_is_asked() {
    let refused = |change: fn(&mut EngineRequest)| {
        let mut wish = request(Key::P256);
        change(&mut wish);
        Engines::new().begin(wish).expect_err("a refusal")
    };
    let long = SessionError::from(PolicyFault::ParametersTooLong);
    assert_eq!(refused(|wish| wish.alpn = vec![Vec::new()]), long);
    assert_eq!(refused(|wish| wish.alpn = vec![vec![b'a'; 256]]), long);
    assert_eq!(refused(|wish| wish.alpn = vec![vec![b'a'; 255]; 300]), long);
    assert!(matches!(
        refused(|wish| wish.server_name = "not a name".to_owned()),
        SessionError::PeerUntrusted(TrustError::NotAName { .. })
    ));
    for error in [
        refused(|wish| wish.certificates.clear()),
        refused(|wish| wish.certificates = vec![vec![0; 1 << 24]]),
    ] {
        assert!(matches!(error, SessionError::Internal { .. }));
    }
}

#[test]
fn a_handshake_has_no_more_bytes_than_allowed() {
    for version in VERSIONS {
        let card = SoftCard::new(Key::P256);
        let mut wish = request(Key::P256);
        // Room for the ClientHello, which has the keys of two groups.
        wish.max_bytes = 1_700;
        let server = Server::new(version).with(|config| config.max_fragment_size = Some(60));
        let server_bytes = SoftCard::new(Key::P256);
        let max = match handshake(
            &Engines::new(),
            wish.clone(),
            server.connect(),
            &server_bytes,
        ) {
            Ok(done) => done.session.consumed,
            Err(failure) => {
                assert_eq!(failure.error, SessionError::TooManyBytes { max: 1_700 });
                continue;
            }
        };
        wish.max_bytes = usize::try_from(max).expect("short") - 1;
        let failure = fail(&server, wish, &card);
        assert!(matches!(failure.error, SessionError::TooManyBytes { .. }));
    }
}

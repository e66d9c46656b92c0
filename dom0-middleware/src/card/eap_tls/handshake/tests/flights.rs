//! Server flights: who is verified, what may be chosen, and that nothing unchecked reaches a card.

use super::Rig;
use crate::card::eap_tls::testing::sceptic;
use crate::card::eap_tls::testing::tls::{GCM, Hello, Server, alert, record};
use crate::card::error::SessionError;
use crate::card::fault::CardFault;
use crate::card::session_fault::{HandshakeFault, PolicyFault};
use crate::card::trust::TrustError;
use proto::tls::{CipherSuite, FlightError, ProtocolVersion};

/// Commands up to ClientHello: Set-Identity, Reset-State, 8A, start.
const UP_TO_HELLO: usize = 4;

#[test]
fn an_untrusted_server_is_refused_before_the_card_sees_a_byte() {
    let mut rig = Rig::new();
    rig.verifier = sceptic();
    let failure = rig.run().expect_err("nobody is trusted");
    assert_eq!(
        failure.error,
        SessionError::PeerUntrusted(TrustError::UnknownIssuer)
    );
    assert_eq!(rig.card.log.len(), UP_TO_HELLO);
    assert_eq!(failure.alert, Some(alert(48)));
}

#[test]
fn a_flight_may_come_byte_by_byte() {
    let mut rig = Rig::new();
    rig.flights = rig
        .flights
        .iter()
        .flat_map(|flight| flight.iter().map(|byte| vec![*byte]))
        .collect();
    assert!(rig.run().is_ok());
}

#[test]
fn a_message_out_of_place_never_reaches_the_card() {
    let mut rig = Rig::new();
    rig.flights[0].splice(0..0, record(22, &[0x0B, 0, 0, 3, 0, 0, 0]));
    let failure = rig.run().expect_err("Certificate before ServerHello");
    assert!(matches!(
        failure.error,
        SessionError::HandshakeFailed(HandshakeFault::ServerFlight(FlightError::Grammar { .. }))
    ));
    assert_eq!(rig.card.log.len(), UP_TO_HELLO);
}

#[test]
fn bytes_that_are_no_records_end_the_handshake() {
    let mut rig = Rig::new();
    rig.flights[0] = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    assert!(matches!(
        rig.error(),
        SessionError::HandshakeFailed(HandshakeFault::ServerRecords(_))
    ));
}

#[test]
fn an_alert_of_the_server_is_named_and_not_answered() {
    let mut rig = Rig::new();
    rig.flights[0] = alert(40);
    let failure = rig.run().expect_err("the server gave up");
    assert!(matches!(
        &failure.error,
        SessionError::HandshakeFailed(HandshakeFault::ServerFlight(FlightError::Alert(_)))
    ));
    assert_eq!(failure.alert, None);

    // The server's verdict on the client certificate comes in place of its last flight.
    let mut rig = Rig::new();
    rig.flights[1] = alert(48);
    let failure = rig
        .run()
        .expect_err("the server does not know the card's CA");
    assert!(failure.error.to_string().contains("unknown_ca"));
    assert_eq!(failure.alert, None);
}

#[test]
fn tls13_is_refused_cleanly() {
    let server = Server {
        version: 0x0304,
        suite: 0x1301,
        extended_master_secret: false,
        ..Server::default()
    };
    let mut rig = Rig::new();
    rig.flights[0] = server.hello_only();
    let failure = rig.run().expect_err("not through a card");
    let got = ProtocolVersion::TLS1_3;
    assert_eq!(
        failure.error,
        SessionError::HandshakeFailed(HandshakeFault::Version { got })
    );
    assert_eq!(failure.alert, Some(alert(70)));
    assert_eq!(rig.card.log.len(), UP_TO_HELLO);
}

#[test]
fn a_choice_that_was_not_offered_is_refused() {
    let mut rig = Rig::with_server(&Server {
        suite: 0xC030,
        ..Server::default()
    });
    assert_eq!(
        rig.error(),
        SessionError::HandshakeFailed(HandshakeFault::SuiteNotOffered {
            got: CipherSuite(0xC030)
        })
    );

    let mut rig = Rig::with_server(&Server {
        alpn: Some(b"h2".to_vec()),
        ..Server::default()
    });
    assert_eq!(
        rig.error(),
        SessionError::HandshakeFailed(HandshakeFault::Alpn)
    );
}

#[test]
fn a_suite_whose_key_block_is_unknown_is_refused_before_the_card_sees_it() {
    let unknown = 0x0016;
    let mut rig = Rig::with_server(&Server {
        suite: unknown,
        ..Server::default()
    });
    rig.card.hello.suites = vec![unknown, GCM];
    assert_eq!(
        rig.error(),
        SessionError::HandshakeFailed(HandshakeFault::SuiteUnknown {
            got: CipherSuite(unknown)
        })
    );
    assert_eq!(rig.card.log.len(), UP_TO_HELLO);
}

#[test]
fn a_card_too_old_for_the_binding_is_not_let_out() {
    let mut rig = Rig::new();
    rig.card.hello = Hello {
        version: 0x0301,
        ..Hello::default()
    };
    assert_eq!(
        rig.error(),
        SessionError::Policy(PolicyFault::CardTooOld {
            got: ProtocolVersion::TLS1_0,
            min: ProtocolVersion::TLS1_2
        })
    );
    assert!(rig.to_server.is_empty());
}

#[test]
fn more_bytes_than_allowed_end_the_handshake() {
    let mut rig = Rig::new();
    rig.request.max_bytes = 500;
    assert!(matches!(
        rig.error(),
        SessionError::TooManyBytes { max: 500 }
            | SessionError::HandshakeFailed(HandshakeFault::ServerFlight(
                FlightError::TooLong { .. }
            ))
    ));

    // A record that is announced and never ends.
    let mut rig = Rig::new();
    rig.request.max_bytes = 1000;
    rig.flights = vec![vec![22, 3, 3, 0x40, 0], vec![0; 999]];
    assert_eq!(rig.error(), SessionError::TooManyBytes { max: 1000 });
}

#[test]
fn another_certificate_than_the_identitys_is_a_swapped_card() {
    let mut rig = Rig::new();
    rig.card.certificate = Some(vec![0x77; 300]);
    let failure = rig.run().expect_err("not the identity's certificate");
    assert!(matches!(failure.error, SessionError::CardSwapped { .. }));
    assert_eq!(rig.to_server.len(), 1, "its flight stays here");
}

#[test]
fn a_card_need_not_present_what_nobody_asked_for() {
    let mut rig = Rig::with_server(&Server {
        asks_certificate: false,
        ..Server::default()
    });
    rig.card.certificate = None;
    assert!(rig.run().is_ok());

    let mut rig = Rig::new();
    rig.card.certificate = None;
    assert_eq!(rig.card_fault(), CardFault::NoClientCertificate);
}

#[test]
fn a_card_that_has_nothing_the_server_asks_for_has_not_failed() {
    let mut rig = Rig::new();
    rig.card.certificate = Some(Vec::new());
    let failure = rig.run().expect_err("an empty list");
    assert_eq!(failure.error, HandshakeFault::NoSignatureScheme.into());
    assert_eq!(rig.to_server.len(), 1, "its flight stays here");
    assert!(failure.alert.is_some());
}

#[test]
fn no_clear_alert_follows_the_clients_change_cipher_spec() {
    let mut rig = Rig::new();
    rig.flights[1] = record(22, &[0; 4]);
    let failure = rig.run().expect_err("not a last flight");
    assert!(matches!(
        failure.error,
        SessionError::HandshakeFailed(HandshakeFault::ServerFlight(_))
    ));
    assert_eq!(failure.alert, None);
}

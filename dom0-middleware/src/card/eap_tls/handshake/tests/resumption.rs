//! Which session a card may offer, and which a server may resume: the one record, to the letter.

use proto::id::DomainUuid;

use super::Rig;
use crate::card::eap_tls::testing::tls::{Hello, Server};
use crate::card::eap_tls::testing::{name, sceptic};
use crate::card::eap_tls::{HandshakeRequest, OfferedSession};
use crate::card::error::SessionError;
use crate::card::fault::CardFault;
use crate::card::session_fault::{HandshakeFault, PolicyFault, ResumptionFault};

/// A rig after a full handshake: the card has a session, and its record is at hand.
fn after_full(mut rig: Rig) -> (Rig, OfferedSession) {
    let session = rig.make_session();
    assert!(rig.card.session.is_some(), "the card keeps its session");
    rig.card.log.clear();
    (rig, session)
}

fn resuming(server: &Server) -> Vec<Vec<u8>> {
    vec![server.abbreviated()]
}

/// Session ids or tickets in the ClientHellos that left.
fn offered(rig: &Rig) -> Vec<Vec<u8>> {
    rig.to_server
        .iter()
        .filter_map(|flight| proto::tls::ClientHello::from_records(flight).ok())
        .map(|hello| hello.session_id)
        .collect()
}

#[test]
fn the_recorded_session_is_resumed() {
    let (mut rig, session) = after_full(Rig::new());
    rig.session = Some(session.clone());
    rig.flights = resuming(&Server::default());
    let completed = rig.run().expect("a resumed session");
    assert!(completed.abbreviated);
    assert_eq!(completed.peer_certificates, session.peer_certificates);
    assert_eq!(completed.session, Some(session), "and may be once more");
    assert_eq!(offered(&rig), [vec![0x5E; 32]]);
}

#[test]
fn a_server_may_decline_and_the_new_session_takes_the_old_ones_place() {
    let (mut rig, session) = after_full(Rig::new());
    rig.session = Some(session.clone());
    let server = Server {
        session_id: vec![0x60; 32],
        ..Server::default()
    };
    rig.flights = vec![server.full(), server.last()];
    let completed = rig.run().expect("a full handshake");
    assert!(!completed.abbreviated);
    assert_ne!(completed.session, Some(session));
    assert!(completed.session.is_some());
}

/// A change to a request, and what it is called.
type Change = (&'static str, fn(&mut HandshakeRequest));

/// Every change that makes a recorded session someone else's.
fn strangers() -> [Change; 6] {
    [
        ("domain", |r| r.domain = DomainUuid::from_bytes([9; 16])),
        ("identity", |r| r.identity = name("bob")),
        ("server name", |r| {
            r.server_name = "other.example".to_owned()
        }),
        ("trust", |r| r.trust = [9; 32]),
        ("client certificate", |r| {
            r.client_certificate_sha256 = [9; 32]
        }),
        ("wish", |r| r.resume = false),
    ]
}

#[test]
fn a_strangers_session_is_forgotten_by_command() {
    for (what, change) in strangers() {
        let (mut rig, session) = after_full(Rig::new());
        rig.session = Some(session);
        change(&mut rig.request);
        rig.flights = resuming(&Server::default());
        assert_eq!(
            rig.error(),
            SessionError::HandshakeFailed(HandshakeFault::Resumption(ResumptionFault::NotOffered)),
            "{what}"
        );
        assert_eq!(offered(&rig), [Vec::<u8>::new()], "{what}");
        assert_eq!(rig.card.session, None, "{what}");
    }
}

#[test]
fn a_strangers_session_is_overwritten_on_a_card_without_the_command() {
    for (what, change) in strangers() {
        let (mut rig, session) = after_full(Rig::new().without_parameters());
        rig.session = Some(session);
        change(&mut rig.request);
        let stand_in = rig.parameters.forgotten_session_id;
        rig.flights = resuming(&Server {
            session_id: stand_in.to_vec(),
            ..Server::default()
        });
        // The server plays along with the stand-in: still no record stands behind it.
        assert_eq!(
            rig.error(),
            SessionError::HandshakeFailed(HandshakeFault::Resumption(ResumptionFault::NoRecord)),
            "{what}"
        );
        assert_eq!(offered(&rig), [stand_in], "{what}");
    }
}

#[test]
fn a_card_that_offers_an_unknown_session_is_started_once_more() {
    let (mut rig, session) = after_full(Rig::new().without_parameters());
    drop(session);
    let completed = rig.run().expect("a full handshake after the second start");
    assert!(!completed.abbreviated);
    let starts = rig
        .card
        .log
        .iter()
        .filter(|command| command.ins == 0x80 && command.data().get(5) == Some(&0x20))
        .count();
    assert_eq!(starts, 2);
    assert_eq!(rig.card.count(0x60, 0xC2), 1);
    assert_eq!(offered(&rig).len(), 1, "the first ClientHello stays here");
}

#[test]
fn a_card_that_will_not_forget_is_refused() {
    let rigs = [Rig::new(), Rig::new().without_parameters()];
    for rig in rigs {
        let (mut rig, session) = after_full(rig);
        drop(session);
        rig.card.obeys_forget = false;
        assert_eq!(rig.card_fault(), CardFault::StillOffersSession);
        assert!(rig.to_server.is_empty());
    }
}

#[test]
fn a_card_that_cannot_forget_is_refused() {
    let (mut rig, session) = after_full(Rig::new().without_parameters());
    drop(session);
    rig.capabilities.store_session_id = false;
    assert_eq!(rig.error(), SessionError::Policy(PolicyFault::CannotForget));
    assert!(rig.to_server.is_empty());
}

#[test]
fn a_card_that_turns_out_unable_to_forget_is_refused() {
    let (mut rig, session) = after_full(Rig::new().without_parameters());
    drop(session);
    rig.card.has_store_session_id = false;
    assert_eq!(rig.error(), SessionError::Policy(PolicyFault::CannotForget));
}

#[test]
fn a_session_of_tls13_is_never_offered() {
    let mut rig = Rig::new();
    rig.card.hello = Hello {
        pre_shared_key: true,
        ..Hello::default()
    };
    assert_eq!(rig.card_fault(), CardFault::StillOffersSession);
}

#[test]
fn another_session_than_the_one_offered_is_refused() {
    let (mut rig, session) = after_full(Rig::new());
    rig.session = Some(session);
    rig.flights = resuming(&Server {
        session_id: vec![0x61; 32],
        ..Server::default()
    });
    assert_eq!(
        rig.error(),
        SessionError::HandshakeFailed(HandshakeFault::Resumption(ResumptionFault::OtherSession))
    );
}

#[test]
fn a_resumed_session_keeps_its_extended_master_secret() {
    let (mut rig, session) = after_full(Rig::new());
    rig.session = Some(session);
    rig.flights = resuming(&Server {
        extended_master_secret: false,
        ..Server::default()
    });
    assert_eq!(
        rig.error(),
        SessionError::HandshakeFailed(HandshakeFault::Resumption(
            ResumptionFault::ExtendedMasterSecret
        ))
    );
}

#[test]
fn a_server_that_is_no_longer_trusted_is_not_resumed() {
    let (mut rig, session) = after_full(Rig::new());
    rig.session = Some(session);
    rig.verifier = sceptic();
    rig.flights = resuming(&Server::default());
    assert!(matches!(
        rig.error(),
        SessionError::HandshakeFailed(HandshakeFault::Resumption(_))
    ));
}

#[test]
fn a_ticket_is_recorded_in_place_of_the_session_id() {
    let ticket = vec![0x71; 100];
    let server = Server {
        ticket: Some(ticket.clone()),
        ..Server::default()
    };
    let mut rig = Rig::with_server(&server);
    rig.card.hello.ticket = Some(Vec::new());
    let session = rig.make_session();

    // It now offers the ticket, with a session id of its own to recognise success by.
    rig.card.hello.ticket = Some(ticket);
    rig.card.session = Some(vec![0x72; 32]);
    let resumed = Server {
        session_id: vec![0x72; 32],
        ..Server::default()
    };
    rig.session = Some(session.clone());
    rig.flights = resuming(&resumed);
    let completed = rig.run().expect("a resumed session");
    assert_eq!(completed.session, Some(session.clone()));

    // A ticket that comes with a resumption is not one a full handshake stands behind.
    rig.session = Some(session);
    rig.flights = resuming(&Server {
        ticket: Some(vec![0x73; 100]),
        ..resumed
    });
    let completed = rig.run().expect("a resumed session");
    assert_eq!(completed.session, None);
}

#[test]
fn the_record_is_gone_once_a_full_flight_has_reached_the_card() {
    let (mut rig, session) = after_full(Rig::new());
    rig.session = Some(session);
    rig.card.refuses_flight = Some(1);
    let failure = rig.run().expect_err("refused by the card");
    assert_eq!(failure.session, None);
}

#[test]
fn the_record_outlives_what_never_reached_the_card() {
    let (mut rig, session) = after_full(Rig::new());
    rig.session = Some(session.clone());
    rig.flights = vec![crate::card::eap_tls::testing::tls::alert(40)];
    let failure = rig.run().expect_err("the server gave up");
    assert_eq!(failure.session, Some(session.clone()));

    rig.session = Some(session.clone());
    rig.request.alpn = vec![b"h2".to_vec()];
    rig.capabilities.parameters = false;
    let failure = rig.run().expect_err("a wish the card cannot carry");
    assert_eq!(failure.session, Some(session));
}

#[test]
fn a_session_without_id_and_ticket_is_not_recorded() {
    let server = Server {
        session_id: Vec::new(),
        ..Server::default()
    };
    let completed = Rig::with_server(&server).run().expect("a full handshake");
    assert_eq!(completed.session, None);
}

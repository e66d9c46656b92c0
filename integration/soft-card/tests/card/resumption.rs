//! Abbreviated handshakes, and the one session that all identities share.

use proto::tls::ClientHello;
use rustls::HandshakeKind;
use rustls::version::TLS12;
use soft_card::CardSettings;

use crate::exports::check_tls12_keys;
use crate::host::Host;
use crate::pki::{Ca, KeyKind};
use crate::server::{Established, Server};

/// A card that had one full handshake as alice, and its server.
fn after_a_full_handshake(tickets: bool) -> (Host, Server) {
    let ca = Ca::new();
    let credential = ca.issue("server.example.org", KeyKind::P256);
    let server = Server::new(&ca, &credential, &TLS12).with(|config| {
        if tickets {
            config.ticketer = rustls::crypto::ring::Ticketer::new().expect("random bytes");
        }
    });
    let mut host = Host::open(ca.card(CardSettings::default()), "alice");
    let established = server.handshake(&mut host).expect("accepted");
    assert_eq!(
        established.connection.handshake_kind(),
        Some(HandshakeKind::Full)
    );
    (host, server)
}

fn kind(established: &Established) -> HandshakeKind {
    established.connection.handshake_kind().expect("finished")
}

#[test]
fn a_second_handshake_is_abbreviated_by_session_id_and_by_ticket() {
    for tickets in [false, true] {
        let (mut host, server) = after_a_full_handshake(tickets);
        host.set_identity("alice");
        let mut established = server.handshake(&mut host).expect("accepted");
        assert_eq!(kind(&established), HandshakeKind::Resumed);
        let hello = ClientHello::from_records(&established.client[0]).expect("one hello");
        assert_eq!(hello.session_id.len(), 32);
        assert_eq!(
            hello
                .session_ticket
                .is_some_and(|ticket| !ticket.is_empty()),
            tickets
        );
        assert_eq!(
            established.client.len(),
            2,
            "ChangeCipherSpec and Finished come last"
        );
        assert_eq!(host.export(0x81).expect("after success")[4], 0x01 | 0x02);
        assert!(
            !host
                .export(0x84)
                .expect("the list of the full handshake")
                .is_empty()
        );
        assert_eq!(host.export(0x85), Err(0x6A88), "nothing was signed");
        check_tls12_keys(&mut host, &server, &mut established);
    }
}

#[test]
fn all_identities_share_the_session_whatever_the_server_is_called() {
    let (mut host, server) = after_a_full_handshake(false);
    host.set_identity("bob");
    let established = server.handshake(&mut host).expect("accepted");
    assert_eq!(kind(&established), HandshakeKind::Resumed);

    assert_eq!(
        host.command(0x8A, 0, 0, &[&[1, 11][..], b"example.com"].concat()),
        Ok(vec![])
    );
    let hello = ClientHello::from_records(&host.start().expect("started")).expect("one hello");
    assert_eq!(
        hello.session_id.len(),
        32,
        "offered, although the name is another"
    );
}

#[test]
fn the_session_outlives_select_and_power_off() {
    let (mut host, server) = after_a_full_handshake(false);
    host.card.reset();
    host.select();
    host.set_identity("alice");
    assert_eq!(
        kind(&server.handshake(&mut host).expect("accepted")),
        HandshakeKind::Resumed
    );
}

#[test]
fn a_session_can_be_forgotten_in_two_ways() {
    let ways: [fn(&mut Host); 2] = [
        |host| assert_eq!(host.command(0x60, 0xC2, 0, &[0; 32]), Ok(vec![])),
        |host| assert_eq!(host.command(0x8A, 0, 0, &[4, 1, 1]), Ok(vec![])),
    ];
    for forget in ways {
        let (mut host, server) = after_a_full_handshake(false);
        forget(&mut host);
        let established = server.handshake(&mut host).expect("accepted");
        assert_eq!(kind(&established), HandshakeKind::Full);
        let hello = ClientHello::from_records(&established.client[0]).expect("one hello");
        assert!(hello.session_id.is_empty());
    }
}

#[test]
fn a_server_that_forgot_the_session_gets_a_full_handshake() {
    let (mut host, server) = after_a_full_handshake(false);
    let server = server.with(|config| {
        config.session_storage = rustls::server::ServerSessionMemoryCache::new(8);
    });
    let mut established = server.handshake(&mut host).expect("accepted");
    assert_eq!(kind(&established), HandshakeKind::Full);
    check_tls12_keys(&mut host, &server, &mut established);
}

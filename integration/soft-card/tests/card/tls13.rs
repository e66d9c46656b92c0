//! TLS 1.3: one record a message, Get-State tells the end.

use proto::tls::ClientHello;
use proto::tls::ProtocolVersion;
use rustls::version::TLS13;
use soft_card::CardSettings;

use crate::exports::check_tls13_keys;
use crate::host::Host;
use crate::pki::{Ca, KeyKind, card_of};
use crate::server::{Server, records};

/// Brings records one by one until the card is done; whatever follows is not for it.
fn one_by_one(host: &mut Host, flight: &[u8]) -> Result<Vec<u8>, u16> {
    let mut out = Vec::new();
    for record in records(flight) {
        assert_ne!(host.state(), 3, "the flight reaches past the handshake");
        out.extend(host.message(record)?);
    }
    Ok(out)
}

#[test]
fn the_key_block_is_the_two_traffic_secrets() {
    let ca = Ca::new();
    for key in [KeyKind::P256, KeyKind::RsaCard] {
        let settings = CardSettings {
            highest_version: ProtocolVersion::TLS1_3,
            ..CardSettings::default()
        };
        let credential = ca.issue("card.example.org", key);
        let mut host = Host::open(
            card_of(vec![ca.identity("web01", &credential)], settings),
            "web01",
        );
        let server_credential = ca.issue("server.example.org", KeyKind::RsaServer);
        let server = Server::new(&ca, &server_credential, &TLS13);
        let mut established = server
            .handshake_with(&mut host, one_by_one)
            .expect("accepted");
        let negotiated = host.export(0x81).expect("after success");
        assert_eq!(negotiated[2..], [3, 4, 0]);
        let der = &server_credential.certificate;
        assert_eq!(host.export(0x84).expect("the list")[3..], **der);
        assert_eq!(host.export(0x85), Ok(credential.certificate.to_vec()));
        assert_eq!(host.export(0x83), Err(0x6A88));
        check_tls13_keys(&mut host, &server, &mut established);
    }
}

#[test]
fn the_host_may_ask_for_a_higher_version_than_the_default() {
    let ca = Ca::new();
    let mut host = Host::open(ca.card(CardSettings::default()), "alice");
    assert_eq!(host.command(0x8A, 0, 0, &[3, 4, 3, 4, 3, 4]), Ok(vec![]));
    let hello = ClientHello::from_records(&host.start().expect("started")).expect("one hello");
    assert!(hello.offers_tls13());
    assert!(!hello.has_pre_shared_key);
}

#[test]
fn a_second_handshake_is_full_again() {
    let ca = Ca::new();
    let settings = CardSettings {
        highest_version: ProtocolVersion::TLS1_3,
        ..CardSettings::default()
    };
    let mut host = Host::open(ca.card(settings), "alice");
    let server = Server::new(&ca, &ca.issue("server.example.org", KeyKind::P256), &TLS13);
    for _ in 0..2 {
        let mut established = server
            .handshake_with(&mut host, one_by_one)
            .expect("accepted");
        assert_eq!(
            host.export(0x81).expect("after success")[4],
            0,
            "not abbreviated"
        );
        check_tls13_keys(&mut host, &server, &mut established);
    }
}

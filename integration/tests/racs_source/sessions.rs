//! Handshakes with a card of another host.

use integration::chain::{CardPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::KeyKind;

use super::{Grid, NAME, eap_card, shown};

/// A full and a resumed session with the card's identity; the server sees its certificate.
fn converse_twice(card: CardPlan, identity: &str, rules: &str) {
    let grid = Grid::start(card.clone());
    let chain = grid.guests(card, identity, rules, GuestPlan::new("far"));
    let place = shown(&chain)["place"].as_str().map(str::to_owned);
    assert_eq!(place, Some(format!("racs {} se-00", grid.host())));
    let credential = grid.pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&grid.pki, &ServerPlan::new(&credential));
    for (number, resumed) in [false, true].into_iter().enumerate() {
        chain.guest("far").converse(&server, NAME);
        let report = server.report(number);
        assert_eq!(report.reused, resumed);
        let client = report.client.expect("a client certificate");
        assert!(client.ends_with(identity), "{client}");
    }
    let server = OpensslServer::start(&grid.pki, &ServerPlan::new(&credential).tls13());
    chain.guest("far").converse(&server, NAME);
    chain.guest("near").converse(&server, NAME);

    assert_eq!(grid.chain.pin_tries("se-00"), 3);
    let lent = grid.chain.audited("card-lent");
    assert!(
        !lent.is_empty() && lent.iter().all(|r| r["holder"] == "RACS user host-a"),
        "{lent:?}"
    );
    assert!(!chain.audit().is_empty());
}

#[test]
fn an_eap_tls_card_of_another_host_makes_sessions_full_and_resumed() {
    converse_twice(eap_card(), "far", "published");
}

#[test]
fn the_same_when_the_server_is_known_to_be_ours() {
    converse_twice(eap_card(), "far", "tessera");
}

#[test]
fn a_piv_card_of_another_host_makes_sessions_full_and_resumed() {
    for key in [KeyKind::P256, KeyKind::Rsa2048] {
        converse_twice(
            CardPlan::piv("se-00").identity("9a", key),
            "9a",
            "published",
        );
    }
}

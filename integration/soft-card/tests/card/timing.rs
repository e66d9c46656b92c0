//! The paper model: 2.0 s for a full handshake, 0.5 s for an abbreviated one.

use std::time::Duration;

use rustls::version::TLS12;
use soft_card::CardSettings;
use soft_card::cost::Operation;
use soft_card::timing::Timing;

use crate::host::Host;
use crate::pki::{Ca, KeyKind, card_of};
use crate::server::Server;

#[test]
fn an_rsa_run_costs_what_the_papers_measured() {
    let ca = Ca::with_key(KeyKind::RsaServer);
    let server = Server::new(
        &ca,
        &ca.issue("server.example.org", KeyKind::RsaServer),
        &TLS12,
    );
    let credential = ca.issue("card.example.org", KeyKind::RsaCard);
    let card = card_of(
        vec![ca.identity("web01", &credential)],
        CardSettings::default(),
    );
    let mut host = Host::open(card, "web01");

    let full = run(&mut host, &server);
    let abbreviated = run(&mut host, &server);
    assert_eq!(
        full.iter()
            .filter(|one| **one == Operation::PrivateKey)
            .count(),
        1
    );
    assert!(!abbreviated.contains(&Operation::PrivateKey));
    for (operations, expected) in [
        (full, Duration::from_millis(2000)),
        (abbreviated, Duration::from_millis(500)),
    ] {
        // This server gives no ticket; the model counts one of OpenSSL's in both.
        let operations = [operations, vec![Operation::Bytes(OPENSSL_TICKET)]].concat();
        let bytes: usize = operations.iter().map(|one| bytes_of(*one)).sum();
        let took = Timing::Paper.price(&operations);
        let distance = took.abs_diff(expected);
        assert!(
            distance < expected / 20,
            "{took:?}, not {expected:?} ± 5 %, for {bytes} bytes"
        );
    }
}

/// All commands of one handshake, from Set-Identity to Reset-State.
fn run(host: &mut Host, server: &Server) -> Vec<Operation> {
    host.set_identity("web01");
    assert_eq!(host.command(0x19, 0x10, 0, &[]), Ok(vec![]));
    server.handshake(host).expect("accepted");
    assert!(host.export(0x81).is_ok());
    assert!(host.export(0x82).is_ok());
    assert_eq!(host.command(0x19, 0x10, 0, &[]), Ok(vec![]));
    std::mem::take(&mut host.cost)
}

/// A ticket that holds a client certificate, in bytes: received in a full handshake, offered in
/// an abbreviated one.
const OPENSSL_TICKET: usize = 800;

fn bytes_of(operation: Operation) -> usize {
    match operation {
        Operation::Bytes(count) => count,
        _ => 0,
    }
}

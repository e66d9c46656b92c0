//! Full handshakes: every suite, both kinds of key, flights cut in every way.

use proto::tls::{ClientHello, ContentType, RecordReader};
use rustls::crypto::ring;
use rustls::version::TLS12;
use soft_card::CardSettings;

use crate::exports::check_tls12_keys;
use crate::host::{Host, NOW};
use crate::pki::{Ca, KeyKind, card_of};
use crate::server::{Server, flush, records};

/// A P-256 card and server.
fn pair() -> (Host, Server) {
    let ca = Ca::new();
    let server = Server::new(&ca, &ca.issue("server.example.org", KeyKind::P256), &TLS12);
    (
        Host::open(ca.card(CardSettings::default()), "alice"),
        server,
    )
}

#[test]
fn every_suite_and_key_gives_the_key_block_of_the_rfc() {
    let ca = Ca::new();
    for (card_key, server_key) in [
        (KeyKind::P256, KeyKind::RsaServer),
        (KeyKind::RsaCard, KeyKind::P256),
    ] {
        let credential = ca.issue("card.example.org", card_key);
        let server_credential = ca.issue("server.example.org", server_key);
        for suite in ring::ALL_CIPHER_SUITES
            .iter()
            .filter(|suite| suite.tls13().is_none())
        {
            let authenticates = format!("{:?}", suite.suite()).contains("ECDSA");
            if authenticates != matches!(server_key, KeyKind::P256) {
                continue;
            }
            let server = Server::new(&ca, &server_credential, &TLS12).with(|config| {
                let mut provider = ring::default_provider();
                provider.cipher_suites = vec![*suite];
                let mut only = rustls::ServerConfig::builder_with_provider(provider.into())
                    .with_protocol_versions(&[&TLS12])
                    .expect("one suite")
                    .with_client_cert_verifier(client_verifier(&ca))
                    .with_single_cert(
                        vec![server_credential.certificate.clone()],
                        server_credential.key(),
                    )
                    .expect("a certificate with its key");
                only.key_log = config.key_log.clone();
                *config = only;
            });
            let card = card_of(
                vec![ca.identity("web01", &credential)],
                CardSettings::default(),
            );
            let mut host = Host::open(card, "web01");
            let mut established = server.handshake(&mut host).expect("accepted");
            let negotiated = host.export(0x81).expect("after success");
            assert_eq!(negotiated[..2], u16::from(suite.suite()).to_be_bytes());
            assert_eq!(
                negotiated[2..],
                [3, 3, 2],
                "TLS 1.2, full, extended master secret"
            );
            check_tls12_keys(&mut host, &server, &mut established);
        }
    }
}

fn client_verifier(ca: &Ca) -> std::sync::Arc<dyn rustls::server::danger::ClientCertVerifier> {
    rustls::server::WebPkiClientVerifier::builder_with_provider(
        ca.roots().into(),
        ring::default_provider().into(),
    )
    .build()
    .expect("one root")
}

#[test]
fn flights_survive_every_way_of_cutting_them() {
    for (max_eap_packet, max_packet, max_segment) in [
        (1494, 65_000, 255),
        (240, 240, 240),
        (32, 40, 17),
        (65_535, 1400, 1),
    ] {
        let ca = Ca::new();
        let server = Server::new(&ca, &ca.issue("server.example.org", KeyKind::P256), &TLS12);
        let settings = CardSettings {
            max_eap_packet,
            ..CardSettings::default()
        };
        let mut host = Host::open(ca.card(settings), "bob");
        (host.max_packet, host.max_segment) = (max_packet, max_segment);
        let mut established = server.handshake(&mut host).expect("accepted");
        check_tls12_keys(&mut host, &server, &mut established);
    }
}

#[test]
fn with_extended_length_a_packet_is_one_command_each_way() {
    let ca = Ca::new();
    let server = Server::new(&ca, &ca.issue("server.example.org", KeyKind::P256), &TLS12);
    let settings = CardSettings {
        extended_length: true,
        ..CardSettings::default()
    };
    let mut host = Host::open(ca.card(settings), "bob");
    (host.max_segment, host.is_extended) = (65_535, true);
    let mut established = server.handshake(&mut host).expect("accepted");
    check_tls12_keys(&mut host, &server, &mut established);

    let mut plain = Host::open(ca.card(CardSettings::default()), "bob");
    (plain.max_segment, plain.is_extended) = (65_535, true);
    assert_eq!(plain.message(&[22; 300]), Err(0x6700));
}

#[test]
fn records_of_any_size_and_messages_of_one_record_are_taken() {
    let ca = Ca::new();
    for max_fragment_size in [64, 512] {
        let server = Server::new(&ca, &ca.issue("server.example.org", KeyKind::P256), &TLS12)
            .with(|config| config.max_fragment_size = Some(max_fragment_size));
        let mut host = Host::open(ca.card(CardSettings::default()), "alice");
        let one_record_a_message = |host: &mut Host, flight: &[u8]| {
            let mut out = Vec::new();
            for record in records(flight) {
                out.extend(host.message(record)?);
            }
            Ok(out)
        };
        let mut established = server
            .handshake_with(&mut host, one_record_a_message)
            .expect("accepted");
        assert_eq!(
            host.export(0x81).expect("after success")[4],
            2,
            "extended master secret"
        );
        check_tls12_keys(&mut host, &server, &mut established);
    }
}

#[test]
fn a_record_behind_the_handshake_is_refused() {
    let (mut host, server) = pair();
    let mut behind = server.connect();
    let hello = host.start().expect("an identity is set");
    crate::server::receive(&mut behind, &hello);
    let client_flight = host
        .message(&flush(&mut behind))
        .expect("a server of the CA");
    crate::server::receive(&mut behind, &client_flight);
    let mut last = flush(&mut behind);
    std::io::Write::write_all(&mut behind.writer(), b"early").expect("buffered");
    last.extend(flush(&mut behind));

    assert_eq!(host.message(&last), Err(0x6985));
    assert_eq!(host.export(0x82), Err(0x6985), "no key leaves");
    assert_eq!(host.state(), 4);
}

#[test]
fn the_same_record_left_to_the_host_opens_with_the_key_block() {
    let (mut host, server) = pair();
    let mut established = server.handshake(&mut host).expect("accepted");
    assert_eq!(host.state(), 3);
    check_tls12_keys(&mut host, &server, &mut established);
    assert_eq!(
        host.message(b""),
        Err(0x6985),
        "at rest after the handshake"
    );
    assert!(host.export(0x82).is_ok(), "which takes nothing away");
}

#[test]
fn a_server_of_another_ca_is_refused() {
    let (mut host, _) = pair();
    let other = Ca::new();
    let server = Server::new(
        &other,
        &other.issue("server.example.org", KeyKind::P256),
        &TLS12,
    );
    assert_eq!(server.handshake(&mut host).err(), Some(0x6985));
    assert_eq!(host.state(), 4);
}

#[test]
fn dates_are_judged_by_the_time_of_the_start_packet() {
    let ca = Ca::new();
    let credential = ca.issue_for("server.example.org", KeyKind::P256, 2030..2031);
    let server = Server::new(&ca, &credential, &TLS12);
    let mut host = Host::open(ca.card(CardSettings::default()), "alice");
    for (unix_time, expected) in [
        (NOW, Err(0x6985)),
        (1_907_000_000, Ok(())),
        (0, Err(0x6985)),
    ] {
        let mut connection = server.connect();
        let hello = host.start_at(unix_time).expect("an identity is set");
        crate::server::receive(&mut connection, &hello);
        let answer = host.message(&flush(&mut connection));
        assert_eq!(answer.map(|_| ()), expected, "at {unix_time}");
    }
}

#[test]
fn a_broken_flight_fails_and_the_next_start_works() {
    let (mut host, server) = pair();
    let spoil_finished = |host: &mut Host, flight: &[u8]| {
        let mut flight = flight.to_vec();
        if flight[0] == 20 {
            *flight.last_mut().expect("not empty") ^= 1;
        }
        host.message(&flight)
    };
    assert_eq!(
        server.handshake_with(&mut host, spoil_finished).err(),
        Some(0x6985)
    );
    assert_eq!(host.message(b""), Err(0x6985));
    host.set_identity("alice");
    assert!(server.handshake(&mut host).is_ok());
}

#[test]
fn an_alert_of_the_server_is_a_failure() {
    let (mut host, _) = pair();
    host.start().expect("an identity is set");
    assert_eq!(host.message(&[21, 3, 3, 0, 2, 2, 40]), Err(0x6985));
}

#[test]
fn without_parameters_no_name_and_only_tls12_is_offered() {
    let (mut host, _) = pair();
    let hello = ClientHello::from_records(&host.start().expect("started")).expect("one hello");
    assert_eq!(hello.server_name, None);
    assert!(hello.alpn.is_empty());
    assert!(!hello.offers_tls13());
}

#[test]
fn parameters_hold_for_one_handshake() {
    let (mut host, server) = pair();
    let server = server.with(|config| config.alpn_protocols = vec![b"h3".to_vec()]);
    let parameters = [
        &[1, 11][..],
        b"example.com",
        &[2, 6],
        b"\x02h2\x02h3",
        &[3, 4, 3, 3, 3, 3],
    ]
    .concat();
    assert_eq!(host.command(0x8A, 0, 0, &parameters), Ok(vec![]));
    let established = server.handshake(&mut host).expect("accepted");
    let hello = ClientHello::from_records(&established.client[0]).expect("one hello");
    assert_eq!(hello.server_name.as_deref(), Some("example.com"));
    assert_eq!(hello.alpn, [b"h2".to_vec(), b"h3".to_vec()]);
    assert_eq!(host.export(0x87), Ok(b"h3".to_vec()));

    let hello = ClientHello::from_records(&host.start().expect("started")).expect("one hello");
    assert_eq!(hello.server_name, None);
    assert!(hello.alpn.is_empty());
}

#[test]
fn parameters_are_cleared_by_every_reset() {
    let (mut host, _) = pair();
    let name = [&[1, 11][..], b"example.com"].concat();
    let resets: [fn(&mut Host); 3] = [
        |host| host.set_identity("alice"),
        |host| assert_eq!(host.command(0x19, 0x10, 0, &[]), Ok(vec![])),
        Host::select,
    ];
    for reset in resets {
        assert_eq!(host.command(0x8A, 0, 0, &name), Ok(vec![]));
        reset(&mut host);
        let hello = ClientHello::from_records(&host.start().expect("started"));
        assert_eq!(hello.expect("one hello").server_name, None);
    }
}

#[test]
fn the_flight_of_the_card_ends_with_its_finished_record() {
    let (mut host, server) = pair();
    let established = server.handshake(&mut host).expect("accepted");
    let mut reader = RecordReader::default();
    reader.push(&established.client[1]);
    let mut types = Vec::new();
    while let Some(record) = reader.next_record().expect("whole records") {
        types.push(record.content_type());
    }
    assert_eq!(
        types[types.len() - 2..],
        [ContentType::ChangeCipherSpec, ContentType::Handshake],
    );
}

#[test]
fn a_suite_that_the_card_did_not_offer_fails() {
    let (mut host, server) = pair();
    let mut connection = server.connect();
    let hello = host.start().expect("started");
    crate::server::receive(&mut connection, &hello);
    let mut flight = flush(&mut connection);
    let suite_at = 5 + 4 + 2 + 32 + 1 + usize::from(flight[5 + 4 + 34]);
    flight[suite_at..suite_at + 2].copy_from_slice(&[0x00, 0x2F]);
    assert_eq!(host.message(&flight), Err(0x6985));
}

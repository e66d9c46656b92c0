//! The exported parameters, and the record layer that a host makes of them.

use proto::tls::{
    CipherSuite, Established as ConnectionKeys, KeyBlock, Opened, ProtocolVersion, RecordLayer,
    SessionKeys, TrafficSecrets,
};
use ring::hmac;
use rustls::version::TLS12;
use soft_card::CardSettings;
use zeroize::Zeroizing;

use crate::host::Host;
use crate::pki::{Ca, KeyKind};
use crate::server::{Established, Server, records};

/// Checks the key block against the server's master secret, then talks to the server with it.
pub(crate) fn check_tls12_keys(host: &mut Host, server: &Server, established: &mut Established) {
    let negotiated = host.export(0x81).expect("after success");
    let block = host.export(0x82).expect("after success");
    assert_eq!(host.export(0x83), Err(0x6A88));
    assert_eq!(host.export(0x86), Err(0x6A88));

    let suite = CipherSuite(u16::from_be_bytes([negotiated[0], negotiated[1]]));
    let shape = suite
        .key_block_shape(ProtocolVersion::TLS1_2)
        .expect("a suite of rustls");
    assert_eq!(block.len(), shape.total());
    let hash = match suite.0 {
        0xC02C | 0xC030 => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA256,
    };
    let client_random = &established.client[0][11..43];
    let server_random = &established.flights[0][11..43];
    let seed = [b"key expansion", server_random, client_random].concat();
    let master_secret = server.secret("CLIENT_RANDOM");
    assert_eq!(block, prf(hash, &master_secret, &seed, block.len()));

    let client_finished = established
        .client
        .iter()
        .flat_map(|flight| records(flight))
        .rfind(|record| {
            record[0] == 22 // the last handshake record is the one behind ChangeCipherSpec
        });
    let finished = client_finished.expect("the client finished");
    let gcm = !matches!(suite.0, 0xCCA8 | 0xCCA9);
    let explicit = gcm.then(|| {
        let nonce = finished[5..13].try_into().expect("eight bytes");
        u64::from_be_bytes(nonce).wrapping_add(1).to_be_bytes()
    });
    let layer = RecordLayer::new(ConnectionKeys {
        version: ProtocolVersion::TLS1_2,
        cipher_suite: suite,
        keys: SessionKeys::KeyBlock(KeyBlock::new(block)),
        client_sequence: 1,
        server_sequence: 1,
        client_explicit_nonce: explicit,
    });
    talk(layer.expect("a suite with AEAD"), established);
}

/// The same for TLS 1.3, where the key block is the two traffic secrets.
pub(crate) fn check_tls13_keys(host: &mut Host, server: &Server, established: &mut Established) {
    let negotiated = host.export(0x81).expect("after success");
    let secrets = host.export(0x82).expect("after success");
    let (client, server_secret) = secrets.split_at(secrets.len() / 2);
    assert_eq!(client, server.secret("CLIENT_TRAFFIC_SECRET_0"));
    assert_eq!(server_secret, server.secret("SERVER_TRAFFIC_SECRET_0"));

    let layer = RecordLayer::new(ConnectionKeys {
        version: ProtocolVersion::TLS1_3,
        cipher_suite: CipherSuite(u16::from_be_bytes([negotiated[0], negotiated[1]])),
        keys: SessionKeys::TrafficSecrets(TrafficSecrets {
            client: Zeroizing::new(client.to_vec()),
            server: Zeroizing::new(server_secret.to_vec()),
        }),
        client_sequence: 0,
        server_sequence: 0,
        client_explicit_nonce: None,
    });
    let mut layer = layer.expect("a suite of rustls");
    let tickets = established
        .flights
        .last()
        .expect("tickets came last")
        .clone();
    for ticket in records(&tickets) {
        let opened = layer.open(&mut ticket.to_vec()).map(|_| ());
        assert!(
            opened.is_ok(),
            "a ticket is the first record under the application keys"
        );
    }
    talk(layer, established);
}

/// Data both ways.
fn talk(mut layer: RecordLayer, established: &mut Established) {
    for round in 0..3 {
        let mut sealed = Vec::new();
        let request = format!("request {round}");
        layer
            .seal(request.as_bytes(), &mut sealed)
            .expect("far from any limit");
        assert_eq!(established.receive(&sealed), request.as_bytes());

        let response = format!("response {round}");
        let mut record = established.send(response.as_bytes());
        match layer.open(&mut record).expect("the server's record") {
            Opened::Data(data) => assert_eq!(data, response.as_bytes()),
            _ => panic!("not data"),
        }
    }
}

/// `P_hash` of RFC 5246 §5, written anew for this test.
fn prf(hash: hmac::Algorithm, secret: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let key = hmac::Key::new(hash, secret);
    let mut a = hmac::sign(&key, seed);
    let mut out = Vec::new();
    while out.len() < length {
        out.extend_from_slice(hmac::sign(&key, &[a.as_ref(), seed].concat()).as_ref());
        a = hmac::sign(&key, a.as_ref());
    }
    out.truncate(length);
    out
}

#[test]
fn the_certificates_of_both_sides_can_be_read() {
    let ca = Ca::new();
    let server_credential = ca.issue("server.example.org", KeyKind::RsaServer);
    let server = Server::new(&ca, &server_credential, &TLS12);
    let mut host = Host::open(ca.card(CardSettings::default()), "alice");
    server.handshake(&mut host).expect("accepted");

    let der = &server_credential.certificate;
    let length = u32::try_from(der.len()).expect("small").to_be_bytes();
    assert!(der.len() > 256, "so that FETCH is needed");
    assert_eq!(host.export(0x84), Ok([&length[1..], der].concat()));

    let own = host
        .command(0x60, 0x00, 0, &[])
        .expect("the certificate of the identity");
    assert_eq!(host.export(0x85), Ok(own.clone()));
    assert_eq!(host.command(0x60, 0x40, 0x82, &[]), Ok(own));
    assert_eq!(host.export(0x87), Ok(vec![]), "no ALPN was agreed on");
}

#[test]
fn exports_live_until_the_next_reset() {
    let ca = Ca::new();
    let server = Server::new(&ca, &ca.issue("server.example.org", KeyKind::P256), &TLS12);
    let resets: [fn(&mut Host); 5] = [
        |host| assert!(host.start().is_ok()),
        |host| assert_eq!(host.command(0x19, 0x10, 0, &[]), Ok(vec![])),
        |host| host.set_identity("alice"),
        Host::select,
        |host| {
            host.card.reset();
            host.select();
        },
    ];
    for reset in resets {
        let mut host = Host::open(ca.card(CardSettings::default()), "alice");
        server.handshake(&mut host).expect("accepted");
        assert_eq!(host.state(), 3);
        assert!(host.export(0x82).is_ok());
        reset(&mut host);
        assert_ne!(host.state(), 3);
        assert_eq!(host.export(0x82), Err(0x6985));
    }
}

#[test]
fn no_export_without_a_pin() {
    let ca = Ca::new();
    let server = Server::new(&ca, &ca.issue("server.example.org", KeyKind::P256), &TLS12);
    let mut host = Host::open(ca.card(CardSettings::default()), "alice");
    server.handshake(&mut host).expect("accepted");
    assert_eq!(host.command(0x20, 0, 0, b"1111"), Err(0x6302));
    assert_eq!(host.export(0x82), Err(0x6303));
}

#[test]
fn a_client_certificate_that_was_not_asked_for_is_not_exported() {
    let ca = Ca::new();
    let credential = ca.issue("server.example.org", KeyKind::P256);
    let server = Server::new(&ca, &credential, &TLS12).with(|config| {
        let provider = rustls::crypto::ring::default_provider();
        *config = rustls::ServerConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[&TLS12])
            .expect("a version of the provider")
            .with_no_client_auth()
            .with_single_cert(vec![credential.certificate.clone()], credential.key())
            .expect("a certificate with its key");
    });
    let mut host = Host::open(ca.card(CardSettings::default()), "alice");
    server.handshake(&mut host).expect("accepted");
    assert_eq!(host.export(0x85), Err(0x6A88));
}

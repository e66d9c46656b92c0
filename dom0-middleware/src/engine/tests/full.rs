//! Full handshakes.

use proto::tls::{CipherSuite, ProtocolVersion};
use rustls::crypto::{aws_lc_rs, ring};
use rustls::{HandshakeKind, NamedGroup, SignatureScheme};

use super::bench::{
    Done, KEYS, Key, Pki, SERVER_NAME, Server, SoftCard, VERSIONS, handshake, request,
};
use crate::engine::Engines;

fn succeed(server: &Server, key: Key) -> Done {
    let card = SoftCard::new(key);
    let done = handshake(&Engines::new(), request(key), server.connect(), &card);
    done.unwrap_or_else(|failure| panic!("{key:?}: {}", failure.error))
}

#[test]
fn every_key_signs_once_in_both_versions() {
    for version in VERSIONS {
        for key in KEYS {
            let card = SoftCard::new(key);
            let server = Server::new(version);
            let done = handshake(&Engines::new(), request(key), server.connect(), &card);
            let done = done.unwrap_or_else(|failure| panic!("{version} {key:?}: {failure:?}"));
            assert_eq!(card.asked(), [key.schemes()[0]], "{version} {key:?}");
            let session = &done.session;
            assert_eq!(session.keys.version, version);
            assert!(!session.abbreviated && !session.encrypt_then_mac);
            assert_eq!(
                session.extended_master_secret,
                version == ProtocolVersion::TLS1_2
            );
            assert_eq!(session.peer_certificates, [Pki::get().server_der()]);
            assert_eq!(session.alpn, None);
            let shown = done.link.0.peer_certificates().expect("the card's");
            assert_eq!(*shown[0], *Pki::get().card_der(key));
            assert_eq!(done.link.0.server_name(), Some(SERVER_NAME));
            let carried = done.carry();
            assert!(carried.alerts.is_empty());
            assert_eq!(carried.taker.is_some(), version == ProtocolVersion::TLS1_3);
        }
    }
}

#[test]
fn every_suite_hands_over_keys_that_work() {
    let provider = aws_lc_rs::default_provider();
    let suites: Vec<_> = provider
        .cipher_suites
        .iter()
        .map(|suite| suite.suite())
        .collect();
    let mut seen = 0;
    for suite in suites {
        let mut provider = aws_lc_rs::default_provider();
        provider
            .cipher_suites
            .retain(|offered| offered.suite() == suite);
        let code = CipherSuite(suite.into());
        let version = if code.is_tls13() {
            ProtocolVersion::TLS1_3
        } else {
            ProtocolVersion::TLS1_2
        };
        let is_rsa = code.name().is_some_and(|name| name.contains("ECDHE_RSA"));
        if is_rsa {
            // The server's key is P-256.
            continue;
        }
        let done = succeed(&Server::of(Pki::get(), version, provider, true), Key::P256);
        assert_eq!(done.session.keys.cipher_suite, code);
        let has_nonce = done.session.keys.client_explicit_nonce.is_some();
        let is_gcm = code.name().is_some_and(|name| name.contains("GCM"));
        assert_eq!(has_nonce, is_gcm && !code.is_tls13(), "{code}");
        done.carry();
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[test]
fn the_key_exchange_is_hybrid_unless_told_otherwise() {
    let done = succeed(&Server::new(ProtocolVersion::TLS1_3), Key::P256);
    let group = done.link.0.negotiated_key_exchange_group().expect("agreed");
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
    assert_eq!(done.link.0.handshake_kind(), Some(HandshakeKind::Full));
    // A server that does not know it needs no second ClientHello.
    let classical = Server::of(
        Pki::get(),
        ProtocolVersion::TLS1_3,
        ring::default_provider(),
        true,
    );
    let done = succeed(&classical, Key::P256);
    let group = done.link.0.negotiated_key_exchange_group().expect("agreed");
    assert_eq!(group.name(), NamedGroup::X25519);
    assert_eq!(done.link.0.handshake_kind(), Some(HandshakeKind::Full));
}

#[test]
fn a_server_that_wants_another_group_says_so_once() {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .kx_groups
        .retain(|group| group.name() == NamedGroup::secp384r1);
    let server = Server::of(Pki::get(), ProtocolVersion::TLS1_3, provider, true);
    let (engines, card) = (Engines::new(), SoftCard::new(Key::P256));
    for expected in [
        HandshakeKind::FullWithHelloRetryRequest,
        HandshakeKind::Full,
    ] {
        let done = handshake(&engines, request(Key::P256), server.connect(), &card);
        let done = done.expect("agreement");
        assert_eq!(done.link.0.handshake_kind(), Some(expected));
        done.carry();
    }
}

#[test]
fn a_server_that_asks_for_no_certificate_gets_no_signature() {
    for version in VERSIONS {
        let card = SoftCard::new(Key::P256);
        let server = Server::open_to_all(version);
        let done = handshake(&Engines::new(), request(Key::P256), server.connect(), &card);
        done.expect("success").carry();
        assert!(card.asked().is_empty());
    }
}

#[test]
fn an_rsa_card_without_pss_still_signs_up_to_tls12() {
    let card = SoftCard::new(Key::Rsa2048);
    let mut wish = request(Key::Rsa2048);
    wish.schemes = vec![SignatureScheme::RSA_PKCS1_SHA256];
    let server = Server::new(ProtocolVersion::TLS1_2);
    let done = handshake(&Engines::new(), wish, server.connect(), &card);
    done.expect("success").carry();
    assert_eq!(card.asked(), [SignatureScheme::RSA_PKCS1_SHA256]);
}

#[test]
fn protocols_are_agreed_on() {
    for version in VERSIONS {
        let server = Server::new(version).with(|config| config.alpn_protocols = vec![b"b".into()]);
        let mut wish = request(Key::P256);
        wish.alpn = vec![b"a".into(), b"b".into()];
        let card = SoftCard::new(Key::P256);
        let done = handshake(&Engines::new(), wish, server.connect(), &card).expect("success");
        assert_eq!(done.session.alpn.as_deref(), Some(&b"b"[..]));
    }
}

#[test]
fn an_address_is_a_server_name_and_is_not_sent() {
    let mut wish = request(Key::P256);
    wish.server_name = "192.0.2.7".to_owned();
    let server = Server::new(ProtocolVersion::TLS1_3);
    let card = SoftCard::new(Key::P256);
    let done = handshake(&Engines::new(), wish, server.connect(), &card).expect("success");
    assert_eq!(done.link.0.server_name(), None);
}

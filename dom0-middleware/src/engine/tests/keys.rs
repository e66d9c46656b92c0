//! The keys at the end, against what the server knows of them.

use proto::tls::{ProtocolVersion, Record, SessionKeys, explicit_nonce, next_explicit_nonce};
use ring::hmac;
use rustls::crypto::aws_lc_rs;

use super::bench::{Key, Pki, Server, SoftCard, handshake, request};
use crate::engine::Engines;

/// P_hash of RFC 5246 §5, `len` bytes.
fn prf(
    algorithm: hmac::Algorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[u8],
    len: usize,
) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, secret);
    let seed = [label, seed].concat();
    let mut a = seed.clone();
    let mut out = Vec::new();
    while out.len() < len {
        a = hmac::sign(&key, &a).as_ref().to_vec();
        out.extend_from_slice(hmac::sign(&key, &[&a[..], &seed].concat()).as_ref());
    }
    out.truncate(len);
    out
}

/// The random of the hello in the first record of `stream`.
fn random(stream: &[u8]) -> &[u8] {
    &stream[11..43]
}

#[test]
fn the_key_block_is_that_of_the_rfc_and_no_nonce_comes_twice() {
    for (name, hash) in [
        ("AES_128_GCM", hmac::HMAC_SHA256),
        ("AES_256_GCM", hmac::HMAC_SHA384),
        ("CHACHA20", hmac::HMAC_SHA256),
    ] {
        let mut provider = aws_lc_rs::default_provider();
        let is_it =
            |suite: &rustls::SupportedCipherSuite| format!("{:?}", suite.suite()).contains(name);
        provider.cipher_suites.retain(is_it);
        let server = Server::of(Pki::get(), ProtocolVersion::TLS1_2, provider, true);
        let card = SoftCard::new(Key::P256);
        let done = handshake(&Engines::new(), request(Key::P256), server.connect(), &card);
        let done = done.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));

        let SessionKeys::KeyBlock(block) = &done.session.keys.keys else {
            panic!("TLS 1.2 has a key block");
        };
        let master_secret = server.secrets.last("CLIENT_RANDOM");
        let seed = [random(&done.server), random(&done.client)].concat();
        let expected = prf(
            hash,
            &master_secret,
            b"key expansion",
            &seed,
            block.as_bytes().len(),
        );
        assert_eq!(block.as_bytes(), expected, "{name}");
        assert_eq!(done.session.keys.client_sequence, 1);
        assert_eq!(done.session.keys.server_sequence, 1);

        let records = Record::decode_all(&done.client).expect("records");
        let finished = records.last().expect("Finished").bytes().to_vec();
        let next = done.session.keys.client_explicit_nonce;
        let carried = done.carry();
        if name.contains("GCM") {
            let used = explicit_nonce(&finished).expect("GCM");
            assert_eq!(next, Some(next_explicit_nonce(used)));
            assert_eq!(explicit_nonce(&carried.first_record), next);
        } else {
            assert_eq!(next, None);
        }
    }
}

#[test]
fn the_traffic_secrets_are_those_of_the_server() {
    let server = Server::new(ProtocolVersion::TLS1_3);
    let card = SoftCard::new(Key::P256);
    let done = handshake(&Engines::new(), request(Key::P256), server.connect(), &card);
    let done = done.expect("success");
    let SessionKeys::TrafficSecrets(secrets) = &done.session.keys.keys else {
        panic!("TLS 1.3 has traffic secrets");
    };
    assert_eq!(
        *secrets.client,
        server.secrets.last("CLIENT_TRAFFIC_SECRET_0")
    );
    assert_eq!(
        *secrets.server,
        server.secrets.last("SERVER_TRAFFIC_SECRET_0")
    );
    assert_eq!(done.session.keys.client_sequence, 0);
    assert_eq!(done.session.keys.server_sequence, 0);
}

//! Signatures, looked at by another library.

use std::time::Duration;

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use proto::piv::KeyAlgorithm;
use ring::digest;
use ring::signature::{self, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use soft_card::cost::Operation;
use soft_card::timing::Timing;

use super::host::{
    Host, P256_PUBLIC, P384_PUBLIC, PIN, RSA_2048, RSA_3072, RSA_4096, card, from_hex,
};

const MESSAGE: &[u8] = b"sample";

/// The PKCS#1 v1.5 block of a SHA-256 hash (RFC 8017 §9.2).
fn pkcs1_block(len: usize) -> Vec<u8> {
    let info = from_hex("3031300D060960864801650304020105000420");
    let hash = digest::digest(&digest::SHA256, MESSAGE);
    let tail = [&[0], &info[..], hash.as_ref()].concat();
    let padding = vec![0xFF; len - tail.len() - 2];
    [&[0, 1], &padding[..], &tail].concat()
}

fn verify(key: &str, algorithm: &'static dyn VerificationAlgorithm, signature: &[u8]) {
    let der = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).expect("PKCS#8");
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("RSA");
    let key = UnparsedPublicKey::new(algorithm, key.public().as_ref());
    key.verify(MESSAGE, signature).expect("a right signature");
}

#[test]
fn rsa_signs_blocks_in_chains_and_in_the_extended_form() {
    let mut host = Host::open(card());
    for extended in [false, true] {
        host.extended = extended;
        for (key, algorithm, slot, len) in [
            (RSA_2048, KeyAlgorithm::Rsa2048, 0x9A, 256),
            (RSA_3072, KeyAlgorithm::Rsa3072, 0x9D, 384),
            (RSA_4096, KeyAlgorithm::Rsa4096, 0x82, 512),
        ] {
            let signature = host.sign(algorithm.byte(), slot, &pkcs1_block(len));
            let signature = signature.expect("a signature");
            assert_eq!(signature.len(), len);
            verify(key, &signature::RSA_PKCS1_2048_8192_SHA256, &signature);
        }
    }
}

#[test]
fn rsa_takes_numbers_below_the_modulus_alone() {
    let mut host = Host::open(card());
    for bad in [&[0xFF; 256][..], &[0; 255], &[0; 257], &[]] {
        assert_eq!(host.sign(0x07, 0x9A, bad), Err(0x6A80), "{}", bad.len());
    }
    // 1 to any power is 1, and has leading zeros.
    let mut one = vec![0; 256];
    one[255] = 1;
    assert_eq!(host.sign(0x07, 0x9A, &one), Ok(one));
}

#[test]
fn ecdsa_signs_with_the_keys_it_was_given() {
    let mut host = Host::new(card());
    assert_eq!(host.verify(PIN), Ok(vec![]));
    let sha256 = digest::digest(&digest::SHA256, MESSAGE);
    let signature = host.sign(0x11, 0x9C, sha256.as_ref());
    let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, from_hex(P256_PUBLIC));
    assert_eq!(key.verify(MESSAGE, &signature.expect("one")), Ok(()));
    let sha384 = digest::digest(&digest::SHA384, MESSAGE);
    let signature = host.sign(0x14, 0x9E, sha384.as_ref());
    let key = UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_ASN1, from_hex(P384_PUBLIC));
    assert_eq!(key.verify(MESSAGE, &signature.expect("one")), Ok(()));
}

#[test]
fn a_hash_may_be_shorter_than_the_curve() {
    let mut host = Host::open(card());
    let short = host.sign(0x14, 0x9E, &[7; 32]).expect("a signature");
    let short = EcdsaSig::from_der(&short).expect("DER");
    let curve = EcGroup::from_curve_name(Nid::SECP384R1).expect("known");
    let mut context = BigNumContext::new().expect("memory");
    let point = EcPoint::from_bytes(&curve, &from_hex(P384_PUBLIC), &mut context);
    let key = EcKey::from_public_key(&curve, &point.expect("a point")).expect("a key");
    let padded = [&[0; 16][..], &[7; 32]].concat();
    assert!(short.verify(&padded, &key).expect("can be checked"));
}

#[test]
fn an_operation_costs_what_the_papers_measured() {
    let mut host = Host::open(card());
    host.sign(0x07, 0x9A, &pkcs1_block(256))
        .expect("a signature");
    let bytes: usize = host.cost.iter().map(|one| bytes_of(*one)).sum();
    // 266 bytes in two links, 264 out in two pieces, headers and status words.
    assert_eq!(bytes, 266 + 5 + 6 + 5 + 264 + 3 * 2);
    let per_byte = Duration::from_micros(170) * u32::try_from(bytes).expect("few");
    let took = Timing::Paper.price(&host.cost);
    assert_eq!(took, Duration::from_millis(560) + per_byte);
    host.cost.clear();
    assert_eq!(host.sign(0x07, 0x9A, &[]), Err(0x6A80));
    assert!(
        !host.cost.contains(&Operation::PrivateKey),
        "nothing was signed"
    );
}

fn bytes_of(operation: Operation) -> usize {
    match operation {
        Operation::Bytes(count) => count,
        _ => 0,
    }
}

#[test]
fn keys_of_other_kinds_have_no_slot() {
    let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let der = PrivateKeyDer::try_from(ed25519.serialize_der()).expect("PKCS#8");
    assert!(soft_card::piv::SlotKey::from_der(&der).is_err());
}

//! The channel key over its life, on a clock of the test.

use std::time::Duration;

use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{self, CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{RootCertStore, client::verify_server_name};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::testing::{HOUR, START, hv, later, rsa_hv};
use super::*;
use crate::time::UnixTime;

/// Whether a guest that pins the last certificate believes the first, at that time.
fn is_believed(chain: &[CertificateDer<'_>], at: UnixTime) -> Result<(), rustls::Error> {
    let [leaf, anchor] = chain else {
        panic!("two certificates: {}", chain.len());
    };
    let leaf = ParsedCertificate::try_from(leaf)?;
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone().into_owned())?;
    let provider = rustls::crypto::ring::default_provider();
    verify_server_cert_signed_by_trust_anchor(
        &leaf,
        &roots,
        &[],
        pki_types::UnixTime::since_unix_epoch(at.0),
        provider.signature_verification_algorithms.all,
    )?;
    verify_server_name(&leaf, &ServerName::try_from(SERVER_NAME).expect("a name"))
}

#[test]
fn each_kind_of_hv_key_certifies_for_a_day() {
    for (signer, hv) in [
        hv(&rcgen::PKCS_ECDSA_P256_SHA256, None),
        hv(&rcgen::PKCS_ED25519, None),
        rsa_hv(),
    ] {
        let kind = hv.key().to_string();
        let key = ChannelKey::new(&signer, hv, START).expect("certified");
        assert_eq!(key.not_after(), later(24 * HOUR - Duration::ZERO));
        for (at, is_good) in [
            (START, true),
            (later(24 * HOUR), true),
            (later(24 * HOUR + Duration::from_secs(1)), false),
            (UnixTime(START.0 - HOUR), false),
        ] {
            let believed = is_believed(&key.chain(), at);
            assert_eq!(believed.is_ok(), is_good, "{kind}, {at}: {believed:?}");
        }
    }
}

#[test]
fn the_certificate_is_a_servers_own_and_no_ca() {
    let (signer, hv) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, None);
    let key = ChannelKey::new(&signer, hv.clone(), START).expect("certified");
    let chain = key.chain();
    assert_eq!(chain[1].as_ref(), hv.der());
    let (_, leaf) = X509Certificate::from_der(&chain[0]).expect("X.509");
    assert!(!leaf.is_ca());
    let usage = leaf.extended_key_usage().expect("sound").expect("there");
    assert!(usage.value.server_auth && !usage.value.client_auth && !usage.value.any);
    let use_of_key = leaf.key_usage().expect("sound").expect("there").value;
    assert!(use_of_key.digital_signature() && !use_of_key.key_cert_sign());
    assert_eq!(leaf.tbs_certificate.raw_serial().len(), 16);
}

#[test]
fn it_is_renewed_at_half_its_life_and_stays_the_same_key() {
    let (signer, hv) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, None);
    let key = ChannelKey::new(&signer, hv, START).expect("certified");
    let first = key.chain();
    assert!(!key.is_due(later(11 * HOUR)) && key.is_due(later(12 * HOUR)));
    key.renew(&signer, later(12 * HOUR)).expect("renewed");
    let second = key.chain();
    assert_ne!(first[0], second[0]);
    assert!(!key.is_due(later(23 * HOUR)) && key.is_due(later(24 * HOUR)));
    assert!(
        is_believed(&first, later(13 * HOUR)).is_ok(),
        "to its own end"
    );
    assert!(is_believed(&second, later(30 * HOUR)).is_ok());
    let public = |der: &CertificateDer<'_>| {
        let (_, certificate) = X509Certificate::from_der(der).expect("X.509");
        certificate.public_key().raw.to_vec()
    };
    assert_eq!(public(&first[0]), public(&second[0]));
}

#[test]
fn without_renewal_it_is_good_to_its_end_and_then_no_more() {
    let (signer, certificate) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, None);
    let key = ChannelKey::new(&signer, certificate, START).expect("certified");
    let (stranger, _) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, None);
    let refused = key.renew(&stranger, later(12 * HOUR));
    assert!(matches!(refused, Err(ChannelKeyError::OtherKey)));
    assert!(key.is_valid(later(24 * HOUR - Duration::from_secs(1))));
    assert!(!key.is_valid(later(24 * HOUR)));
    // A calendar that was set back is no reason to show a certificate that is not good yet.
    assert!(!key.is_valid(UnixTime(START.0 - HOUR)));
    assert!(key.is_due(UnixTime(START.0 - HOUR)));
}

#[test]
fn it_does_not_outlive_the_hv_certificate() {
    let end = START.as_secs() + 3_600;
    let (signer, certificate) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, Some(end));
    let key = ChannelKey::new(&signer, certificate.clone(), START).expect("certified");
    assert_eq!(key.not_after().as_secs(), end + 1);
    assert!(key.is_due(later(HOUR / 2)));
    for now in [later(HOUR + Duration::from_secs(1)), later(50 * HOUR)] {
        let error = key.renew(&signer, now).expect_err("ended");
        assert!(error.to_string().contains("token-tool keygen"), "{error}");
        assert!(ChannelKey::new(&signer, certificate.clone(), now).is_err());
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (signer, _) = hv(&rcgen::PKCS_ED25519, None);
    let (_, certificate) = hv(&rcgen::PKCS_ED25519, None);
    let refused = ChannelKey::new(&signer, certificate, START);
    assert!(matches!(refused, Err(ChannelKeyError::OtherKey)));
}

#[test]
fn checkpoints_are_signed_by_the_certified_key() {
    let (signer, hv) = hv(&rcgen::PKCS_ECDSA_P256_SHA256, None);
    let key = ChannelKey::new(&signer, hv, START).expect("certified");
    let signer: &dyn CheckpointSigner = &key;
    let signature = signer.sign(b"so far");
    let certificates = signer.certificates();
    let (_, leaf) = X509Certificate::from_der(&certificates[0]).expect("X.509");
    let point = leaf.public_key().subject_public_key.data.as_ref();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    assert!(public.verify(b"so far", &signature).is_ok());
    assert!(public.verify(b"so fat", &signature).is_err());
    assert!(!format!("{key:?}").contains('['), "no bytes");
}

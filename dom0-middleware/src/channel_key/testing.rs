//! HV keys for tests.

use proto::hv::{HvCertificate, SoftwareHvKey};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

/// An HV key and its certificate, which is good from 1970 to 2100 unless `until` says less.
pub(crate) fn hv(
    algorithm: &'static rcgen::SignatureAlgorithm,
    until: Option<u64>,
) -> (SoftwareHvKey, HvCertificate) {
    let key = KeyPair::generate_for(algorithm).expect("a kind that ring makes");
    certified(&key, until)
}

/// The same with an RSA key, the kind that `token-tool keygen` makes unless told.
pub(crate) fn rsa_hv() -> (SoftwareHvKey, HvCertificate) {
    let key = include_str!("../../../integration/keys/rsa2048-server.key.pem");
    certified(&KeyPair::from_pem(key).expect("a good key"), None)
}

fn certified(key: &KeyPair, until: Option<u64>) -> (SoftwareHvKey, HvCertificate) {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "host one");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Übung");
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = match until {
        Some(until) => date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(until),
        None => date_time_ymd(2100, 1, 1),
    };
    let certificate = params.self_signed(key).expect("sound");
    let signer = SoftwareHvKey::from_pem(key.serialize_pem().as_bytes(), None);
    let certificate = HvCertificate::from_der(certificate.der()).expect("a certificate");
    (signer.expect("a key"), certificate)
}

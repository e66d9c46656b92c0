//! What a certificate on a card says.

use proto::id::IdentityName;
use serde::{Deserialize, Serialize};
use x509_parser::parse_x509_certificate;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::time::UnixTime;

/// A certificate of a card, for an operator. Nothing of it was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateView {
    /// Whose it is; on a PIV card the slot.
    pub identity: IdentityName,
    /// The kind of its key: `RSA-2048`, `P-256`.
    pub key: String,
    /// Whom it names.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// From when it is valid, RFC 3339.
    pub not_before: String,
    /// Until when it is valid, RFC 3339.
    pub not_after: String,
}

impl CertificateView {
    /// What the certificate `der` of `identity` says; `None` if it cannot be read.
    #[must_use]
    pub fn of(identity: &IdentityName, der: &[u8]) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            identity: identity.clone(),
            key: kind(certificate.public_key()),
            subject: readable(&certificate.subject().to_string()),
            issuer: readable(&certificate.issuer().to_string()),
            not_before: date(&validity.not_before),
            not_after: date(&validity.not_after),
        })
    }
}

fn kind(key: &SubjectPublicKeyInfo<'_>) -> String {
    let algorithm = key.algorithm.algorithm.to_id_string();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA-{}", rsa.key_size()),
        Ok(PublicKey::EC(_)) => {
            let parameters = key.algorithm.parameters.as_ref();
            let curve = parameters.and_then(|curve| curve.as_oid().ok());
            match curve.map(|curve| curve.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => "P-256".to_owned(),
                Some("1.3.132.0.34") => "P-384".to_owned(),
                Some("1.3.132.0.35") => "P-521".to_owned(),
                other => format!("curve {}", other.unwrap_or("unnamed")),
            }
        }
        _ if algorithm == "1.3.101.112" => "Ed25519".to_owned(),
        _ => format!("key {algorithm}"),
    }
}

/// A date before 1970 becomes the start of that year.
fn date(time: &ASN1Time) -> String {
    UnixTime::from_secs(u64::try_from(time.timestamp()).unwrap_or(0)).to_string()
}

/// A name that does nothing to a terminal and does not fill it.
fn readable(name: &str) -> String {
    let shown = |character: char| match character {
        control if control.is_control() => '\u{FFFD}',
        other => other,
    };
    name.chars().map(shown).take(MAX_NAME).collect()
}

/// The longest name shown, in characters.
const MAX_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SignatureAlgorithm, date_time_ymd};

    use super::*;

    fn view(algorithm: &'static SignatureAlgorithm, name: &str) -> CertificateView {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.not_before = date_time_ymd(2026, 1, 2);
        parameters.not_after = date_time_ymd(2031, 3, 4);
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let identity = "9a".parse().expect("a name");
        CertificateView::of(&identity, certificate.der()).expect("readable")
    }

    #[test]
    fn a_certificate_says_key_name_and_dates() {
        let cases = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, "P-256"),
            (&rcgen::PKCS_ECDSA_P384_SHA384, "P-384"),
            (&rcgen::PKCS_ED25519, "Ed25519"),
        ];
        for (algorithm, key) in cases {
            let view = view(algorithm, "web01.example");
            assert_eq!(view.key, key);
            assert!(
                view.subject.contains("CN=web01.example"),
                "{}",
                view.subject
            );
            assert_eq!(view.not_before, "2026-01-02T00:00:00.000Z");
            assert_eq!(view.not_after, "2031-03-04T00:00:00.000Z");
        }
    }

    #[test]
    fn a_name_cannot_move_the_cursor_of_a_terminal() {
        let view = view(&rcgen::PKCS_ED25519, "evil\u{1B}[2J");
        assert!(!view.subject.contains('\u{1B}'), "{:?}", view.subject);
        let long = readable(&"x".repeat(1000));
        assert_eq!(long.len(), MAX_NAME);
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        let identity = "9a".parse().expect("a name");
        assert_eq!(CertificateView::of(&identity, &[0x30, 0]), None);
    }
}

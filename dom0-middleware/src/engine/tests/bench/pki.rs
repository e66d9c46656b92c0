//! Keys and certificates, made once in a process.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, date_time_ymd};
use rustls::SignatureScheme;
use rustls_pki_types::CertificateDer;

use super::SERVER_NAME;
use crate::card::Trust;

/// A CA, a server, and three identities of a card.
pub(in crate::engine) struct Pki {
    ca: CertifiedIssuer<'static, KeyPair>,
    server: (CertificateDer<'static>, KeyPair),
    long_server: (CertificateDer<'static>, KeyPair),
    cards: [(CertificateDer<'static>, KeyPair); 3],
}

/// The key of an identity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::engine) enum Key {
    Rsa2048,
    P256,
    P384,
}

pub(in crate::engine) const KEYS: [Key; 3] = [Key::Rsa2048, Key::P256, Key::P384];

/// In its first second all certificates end but the CA's.
pub(in crate::engine) const LAST_YEAR: i32 = 2096;

static PKI: LazyLock<Pki> = LazyLock::new(Pki::new);

impl Pki {
    pub(in crate::engine) fn get() -> &'static Self {
        &PKI
    }

    pub(in crate::engine) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("P-256");
        // Two CAs of one name would be taken for one.
        let name = format!("CA {:02x?}", key.public_key_raw());
        params.distinguished_name.push(DnType::CommonName, name);
        let ca = CertifiedIssuer::self_signed(params, key);
        let ca = ca.expect("fixed parameters");
        let issue = |names: &[&str], key: KeyPair| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).expect("names");
            params.not_after = date_time_ymd(LAST_YEAR, 1, 1);
            let certificate = params.signed_by(&key, &ca).expect("fixed parameters");
            (certificate.der().clone(), key)
        };
        let rsa = include_str!("../../../../../integration/keys/rsa2048-card.key.pem");
        let ecdsa = |algorithm| KeyPair::generate_for(algorithm).expect("a key");
        let names = [SERVER_NAME, "other.example.org", "192.0.2.7"];
        let server = issue(&names, ecdsa(&PKCS_ECDSA_P256_SHA256));
        let many: Vec<String> = (0..2_200).map(|n| format!("www{n}.example.org")).collect();
        let names: Vec<&str> = many
            .iter()
            .map(String::as_str)
            .chain([SERVER_NAME])
            .collect();
        let long_server = issue(&names, ecdsa(&PKCS_ECDSA_P256_SHA256));
        let cards = [
            issue(
                &["alice.example.org"],
                KeyPair::from_pem(rsa).expect("a key"),
            ),
            issue(&["alice.example.org"], ecdsa(&PKCS_ECDSA_P256_SHA256)),
            issue(&["alice.example.org"], ecdsa(&PKCS_ECDSA_P384_SHA384)),
        ];
        Self {
            ca,
            server,
            long_server,
            cards,
        }
    }

    pub(in crate::engine) fn trust(&self) -> Arc<Trust> {
        let trust = Trust::load(&[self.ca.der().clone()], HashMap::new());
        Arc::new(trust.expect("one CA"))
    }

    /// The certificate and key that a server shows.
    pub(in crate::engine) fn server(&self) -> &(CertificateDer<'static>, KeyPair) {
        &self.server
    }

    /// The same with more than 32 KiB of names.
    pub(in crate::engine) fn long_server(&self) -> &(CertificateDer<'static>, KeyPair) {
        &self.long_server
    }

    /// The CA's certificate.
    pub(in crate::engine) fn ca_der(&self) -> &CertificateDer<'static> {
        self.ca.der()
    }

    pub(in crate::engine) fn server_der(&self) -> &[u8] {
        &self.server.0
    }

    pub(in crate::engine) fn card(&self, key: Key) -> &(CertificateDer<'static>, KeyPair) {
        &self.cards[key as usize]
    }

    pub(in crate::engine) fn card_der(&self, key: Key) -> &[u8] {
        &self.card(key).0
    }
}

impl Key {
    /// What a card with this key signs by.
    pub(in crate::engine) fn schemes(self) -> Vec<SignatureScheme> {
        match self {
            Self::Rsa2048 => vec![
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
                SignatureScheme::RSA_PKCS1_SHA256,
            ],
            Self::P256 => vec![SignatureScheme::ECDSA_NISTP256_SHA256],
            Self::P384 => vec![SignatureScheme::ECDSA_NISTP384_SHA384],
        }
    }
}

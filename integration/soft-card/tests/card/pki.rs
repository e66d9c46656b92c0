//! A CA, servers and identities, made anew for each test.

use proto::id::IdentityName;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256,
};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use soft_card::card::Card;
use soft_card::eeprom::VolatileEeprom;
use soft_card::pin::{PinState, StoredPin};
use soft_card::{CardSettings, Identity, IdentityPem};

/// What kind of key a certificate is for.
#[derive(Clone, Copy)]
pub(crate) enum KeyKind {
    P256,
    /// From the files of the tests: this one is the card's.
    RsaCard,
    /// The other one.
    RsaServer,
}

impl KeyKind {
    fn key(self) -> KeyPair {
        let pem = match self {
            Self::P256 => return KeyPair::generate().expect("P-256 is always there"),
            Self::RsaCard => include_str!("../../../keys/rsa2048-card.key.pem"),
            Self::RsaServer => include_str!("../../../keys/rsa2048-server.key.pem"),
        };
        KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_RSA_SHA256).expect("a PKCS#8 RSA key")
    }
}

/// A certification authority for servers and cards.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Certified {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    key_der: Vec<u8>,
}

impl Certified {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key_der.clone()).into()
    }
}

impl Ca {
    pub(crate) fn new() -> Self {
        Self::with_key(KeyKind::P256)
    }

    pub(crate) fn with_key(kind: KeyKind) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "Test CA");
        Self(CertifiedIssuer::self_signed(params, kind.key()).expect("fixed parameters"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a CA certificate");
        roots
    }

    pub(crate) fn issue(&self, name: &str, kind: KeyKind) -> Certified {
        self.issue_for(name, kind, 2020..4000)
    }

    /// Issues a certificate valid from the first day of one year to that of another.
    pub(crate) fn issue_for(
        &self,
        name: &str,
        kind: KeyKind,
        years: std::ops::Range<i32>,
    ) -> Certified {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a DNS name");
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = kind.key();
        let certificate = params.signed_by(&key, &self.0).expect("fixed parameters");
        Certified {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            key_der: key.serialize_der(),
        }
    }

    /// An identity whose EAP-ID is `NAME@example.org` and whose CA is this one.
    pub(crate) fn identity(&self, name: &str, credential: &Certified) -> Identity {
        let ca = self.pem();
        let parts = IdentityPem {
            key: credential.key_pem.as_bytes(),
            certificates: credential.certificate_pem.as_bytes(),
            ca: ca.as_bytes(),
        };
        let name: IdentityName = name.parse().expect("printable");
        let eap_id = format!("{name}@example.org");
        Identity::from_pem(name, eap_id, parts).expect("parts that belong together")
    }

    /// A card with the factory PINs and the identities alice and bob.
    pub(crate) fn card(&self, settings: CardSettings) -> Card {
        let identities = ["alice", "bob"].map(|name| {
            self.identity(
                name,
                &self.issue(&format!("{name}.example.org"), KeyKind::P256),
            )
        });
        card_of(identities.into(), settings)
    }
}

/// A card with the factory PINs.
pub(crate) fn card_of(identities: Vec<Identity>, settings: CardSettings) -> Card {
    Card::new(
        identities,
        factory_pins(),
        Box::new(VolatileEeprom),
        settings,
    )
}

/// User 0000, operator 00000000.
pub(crate) fn factory_pins() -> PinState {
    let pin = |digits| StoredPin::padded(digits).expect("short enough");
    PinState::new(pin(b"0000"), pin(b"00000000"))
}

//! HVs whose keys are the same in every process, so that a token kept as a seed stays a good one.

use std::sync::LazyLock;

use proto::hv::{HvCertificate, HvSigner, SoftwareHvKey};
use proto::pem;
use proto::token::{Claims, ConfirmationKey, DEFAULT_LIFE, SignatureAlgorithm, sign};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};

/// An HV: its certificate and its key.
pub struct Hv {
    /// Its certificate.
    pub certificate: HvCertificate,
    /// Its key.
    pub key: SoftwareHvKey,
}

/// A token as its issuer made it.
pub struct Genuine {
    /// What it says.
    pub claims: Claims,
    /// How it is signed.
    pub algorithm: SignatureAlgorithm,
    /// Its bytes; other ones in each process for ES256 and PS256.
    pub token: Vec<u8>,
}

/// One HV with each kind of key: RSA, P-256, Ed25519.
pub static HVS: LazyLock<[Hv; 3]> = LazyLock::new(|| [RSA, P256, ED25519].map(Hv::new));

/// Tokens of all algorithms, the only ones there are.
pub static GENUINE: LazyLock<Vec<Genuine>> = LazyLock::new(|| {
    let of_hv = |hv: &'static Hv| hv.key.algorithms().iter().map(|one| Genuine::new(hv, *one));
    HVS.iter().flat_map(of_hv).collect()
});

impl Hv {
    /// Any certificate does: nobody asks who has signed it. Ed25519 signs alike each time, so its
    /// bytes, and with them the HV's name, stay the same.
    fn new(key: &str) -> Self {
        let issuer = KeyPair::from_pem(ED25519).expect("a good key");
        let issuer = CertifiedIssuer::self_signed(CertificateParams::default(), issuer);
        let public = KeyPair::from_pem(key).expect("a good key");
        let issued = CertificateParams::default().signed_by(&public, &issuer.expect("fixed"));
        let certificate = HvCertificate::from_der(issued.expect("fixed").der());
        Self {
            certificate: certificate.expect("a good certificate"),
            key: SoftwareHvKey::from_pem(key.as_bytes(), None)
                .unwrap_or_else(|why| panic!("{why}")),
        }
    }
}

impl Genuine {
    fn new(hv: &Hv, algorithm: SignatureAlgorithm) -> Self {
        let iat = 1_793_000_000;
        let several = algorithm == SignatureAlgorithm::Es256;
        let claims = Claims {
            iss: hv.certificate.id(),
            sub: "7e55e2a0-0000-4000-8000-000000000007"
                .parse()
                .expect("a UUID"),
            exp: iat + DEFAULT_LIFE,
            nbf: several.then_some(iat + 60),
            iat,
            cti: [algorithm as u8; 16],
            cnf: match several {
                true => ConfirmationKey::P256([4; 65]),
                false => ConfirmationKey::Ed25519([0xE5; 32]),
            },
            vm_cert_sha256: vec![[0xC1; 32]; if several { 3 } else { 1 }],
            hv_domain: several.then(|| "rack-7".to_owned()),
        };
        let token = sign(&claims, &hv.key, algorithm).expect("a good token");
        Self {
            claims,
            algorithm,
            token,
        }
    }
}

/// The public key of the P-256 HV, PEM.
#[must_use]
pub fn public_key() -> String {
    let [_, p256, _] = &*HVS;
    pem::encode("PUBLIC KEY", p256.certificate.spki_der())
}

// Private keys that are public, for nothing but this.
const RSA: &str = include_str!("../../integration/keys/rsa2048-card.key.pem");
const P256: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9+nM+66GCuuRtd3f
qYnwRXJH704L1Rrb9z8UJbnH49ahRANCAAStbNB+IMQyK4j4eN4lMTUNxERXoe4c
xJ1CXU6F2jVVTxkPG3ucpi9tRBp57idCu0N0a83z7FHXubKiKxP/1Dtf
-----END PRIVATE KEY-----
";
const ED25519: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIDfd5UIWQVyS9x8NJ6Zslx1FffTKpkUV8/uq/ONZdsCx
-----END PRIVATE KEY-----
";

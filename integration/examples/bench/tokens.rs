//! How many VM-Auth-Tokens dom0 can verify, and how much of that is the signature itself.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use integration::binaries;
use integration::pki::Pki;
use proto::hv::{HvCertificate, HvSigner as _, SoftwareHvKey};
use proto::token::{Claims, ConfirmationKey, DEFAULT_LIFE, SignatureAlgorithm, sign, verify};

use crate::figures::{Figures, Times, Unit};

/// How long each is measured in a round: short enough that most rounds have the processor alone.
const ROUND: Duration = Duration::from_millis(10);
/// Rounds; the median counts.
const ROUNDS: usize = 101;

/// Measures each algorithm against the verification of a bare signature of that key.
pub(crate) fn measure(_pki: &Pki, figures: &mut Figures) {
    for (kind, algorithm) in [
        ("rsa3072", SignatureAlgorithm::Rs256),
        ("rsa3072", SignatureAlgorithm::Ps256),
        ("p256", SignatureAlgorithm::Es256),
        ("ed25519", SignatureAlgorithm::EdDsa),
    ] {
        let (certificate, key) = hv(kind);
        let token = sign(&claims(&certificate), &key, algorithm).expect("a good token");
        let message = vec![0xA5; token.len()];
        let signature = key.sign(algorithm, &message).expect("it signs");
        let issuers = [certificate];
        let public = issuers[0].key();
        let (mut whole, mut bare) = (Times::default(), Times::default());
        // In turn, so that what else the machine does meets both alike.
        for _ in 0..ROUNDS {
            whole.add(time_of(|| verify(black_box(&token), &issuers).is_ok()));
            bare.add(time_of(|| {
                let message = black_box(&message);
                public.verify(algorithm, message, &signature).is_ok()
            }));
        }
        let name = |what: &str| format!("token verification, {algorithm} ({kind}): {what}");
        let per_second = 1_000.0 / whole.median();
        figures.add(&name("rate"), per_second, Unit::PerSecond);
        let ratio = bare.median() / whole.median();
        figures.add(&name("to the bare signature"), ratio, Unit::Ratio);
    }
}

/// The time of one call, of as many as a round has.
fn time_of(mut verified: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    let mut calls = 0_u32;
    while started.elapsed() < ROUND {
        for _ in 0..16 {
            assert!(verified());
        }
        calls += 16;
    }
    started.elapsed() / calls
}

fn hv(kind: &str) -> (HvCertificate, SoftwareHvKey) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut keygen = binaries::token_tool();
    keygen.args(["keygen", "--name", "bench", "--alg", kind, "--out"]);
    let made = keygen.arg(folder.path()).output().expect("it runs");
    assert!(made.status.success(), "{made:?}");
    let read = |name: &str| fs::read(folder.path().join(name)).expect("it is there");
    let certificate = HvCertificate::from_pem(&read("hv.cert.pem")).expect("a good certificate");
    let key = SoftwareHvKey::from_pem(&read("hv.key.pem"), None);
    (certificate, key.unwrap_or_else(|why| panic!("{why}")))
}

fn claims(certificate: &HvCertificate) -> Claims {
    let iat = 1_793_000_000;
    Claims {
        iss: certificate.id(),
        sub: "7e55e2a0-0000-4000-8000-000000000007"
            .parse()
            .expect("a UUID"),
        exp: iat + DEFAULT_LIFE,
        nbf: None,
        iat,
        cti: [0; 16],
        cnf: ConfirmationKey::Ed25519([0xE5; 32]),
        vm_cert_sha256: vec![[0xC1; 32]],
        hv_domain: None,
    }
}

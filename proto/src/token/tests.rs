//! Good tokens: every key, every form, and that nothing of them can be changed.

use std::sync::LazyLock;

use coset::{CoseSign1, TaggedCborSerializable as _};
use proptest::prelude::*;

use super::forgery::Forgery;
use super::*;
use crate::hv::openssl::{HvFiles, KINDS};
use crate::hv::{HvCertificate, HvId, HvSigner, SignError, SoftwareHvKey};
use crate::id::DomainUuid;

pub(super) const NOW: u64 = 1_793_000_000;

/// An HV of each kind, made once.
pub(super) static HVS: LazyLock<Vec<(HvCertificate, SoftwareHvKey)>> = LazyLock::new(|| {
    let files = KINDS.iter().map(|(genpkey, _)| HvFiles::make(genpkey));
    files
        .map(|files| (files.certificate(), files.key()))
        .collect()
});

pub(super) fn claims(iss: HvId) -> Claims {
    Claims {
        iss,
        sub: "7e55e2a0-0000-4000-8000-000000000007"
            .parse()
            .expect("a UUID"),
        exp: NOW + DEFAULT_LIFE,
        nbf: None,
        iat: NOW,
        cti: *b"sixteen bytes ..",
        cnf: ConfirmationKey::Ed25519([0xE5; 32]),
        vm_cert_sha256: vec![[0xC1; 32]],
        hv_domain: None,
    }
}

#[test]
fn a_token_of_each_algorithm_says_what_was_signed() {
    for (certificate, key) in &*HVS {
        for algorithm in SignatureAlgorithm::ALL {
            let claims = claims(certificate.id());
            let signed = sign(&claims, key, algorithm);
            if !key.algorithms().contains(&algorithm) {
                assert_eq!(signed, Err(SignError::Algorithm(algorithm)));
                continue;
            }
            let token = signed.expect("a good token");
            assert_eq!(decode(&token), Ok((algorithm, claims.clone())));
            let certificates: Vec<_> = HVS.iter().map(|(one, _)| one.clone()).collect();
            assert_eq!(verify(&token, &certificates), Ok(claims));
            let others: Vec<_> = certificates
                .into_iter()
                .filter(|one| one.id() != certificate.id())
                .collect();
            let unknown = Err(TokenError::Issuer(certificate.id()));
            assert_eq!(verify(&token, &others), unknown);
        }
    }
}

#[test]
fn openssl_verifies_what_was_signed() {
    for (genpkey, _) in KINDS {
        let files = HvFiles::make(genpkey);
        files.openssl("pkey -in key.pem -pubout -out public.pem", b"");
        let (certificate, key) = (files.certificate(), files.key());
        for algorithm in key.algorithms() {
            let token = sign(&claims(certificate.id()), &key, *algorithm).expect("a good token");
            let sign1 = CoseSign1::from_tagged_slice(&token).expect("COSE");
            // Sig_structure by hand (RFC 9052 §4.4), not by the library that signed.
            let mut forgery = Forgery::of_good();
            forgery.protected = sign1.protected.original_data.expect("as it was read");
            let payload = sign1.payload.expect("attached");
            files.write("message", &forgery.to_be_signed(&payload));
            let signature = match algorithm {
                SignatureAlgorithm::Es256 => ecdsa_der(&sign1.signature),
                _ => sign1.signature,
            };
            files.write("signature", &signature);
            let verify = match algorithm {
                SignatureAlgorithm::Ps256 => {
                    "-digest sha256 -pkeyopt rsa_padding_mode:pss \
                                              -pkeyopt rsa_pss_saltlen:32"
                }
                SignatureAlgorithm::EdDsa => "",
                _ => "-digest sha256",
            };
            let verify = verify.split_whitespace().collect::<Vec<_>>().join(" ");
            let verify = format!(
                "pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile signature {verify}"
            );
            files.openssl(verify.trim_end(), b"");
        }
    }
}

/// `SEQUENCE { r INTEGER, s INTEGER }`, as X9.62 has a signature, from r and s.
fn ecdsa_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let number = [&[0], &number[zeros..]].concat();
        // The zero in front is there for the sign only.
        let number = if number[1] < 0x80 {
            &number[1..]
        } else {
            &number
        };
        [&[0x02, u8::try_from(number.len()).expect("short")], number].concat()
    };
    let content = [integer(r), integer(s)].concat();
    [
        &[0x30, u8::try_from(content.len()).expect("short")][..],
        &content,
    ]
    .concat()
}

#[test]
fn a_token_of_an_hv_signed_by_another_key_of_the_same_kind_is_refused() {
    let other = HvFiles::make(KINDS[2].0);
    let (certificate, _) = &HVS[2];
    let token = sign(
        &claims(certificate.id()),
        &other.key(),
        SignatureAlgorithm::Es256,
    );
    let token = token.expect("a token");
    let verified = verify(&token, std::slice::from_ref(certificate));
    assert_eq!(verified, Err(TokenError::Signature));
}

#[test]
fn no_bit_of_a_token_can_be_changed() {
    let (certificate, key) = &HVS[3];
    let claims = claims(certificate.id());
    let token = sign(&claims, key, SignatureAlgorithm::EdDsa).expect("a good token");
    let issuers = std::slice::from_ref(certificate);
    for at in 0..token.len() * 8 {
        let mut changed = token.clone();
        changed[at / 8] ^= 1 << (at % 8);
        assert!(verify(&changed, issuers).is_err(), "bit {at}");
    }
    for len in 0..token.len() {
        assert!(verify(&token[..len], issuers).is_err(), "{len}");
        assert!(decode(&token[..len]).is_err(), "{len}");
    }
}

#[test]
fn claims_that_no_token_can_have_are_not_signed() {
    let (certificate, key) = &HVS[3];
    let good = claims(certificate.id());
    let many = vec![[7; 32]; 17];
    let text = |text: &str| Some(text.to_owned());
    let bad = [
        (
            Claims {
                exp: NOW,
                ..good.clone()
            },
            "claim exp: not after iat",
        ),
        (
            Claims {
                nbf: Some(good.exp),
                ..good.clone()
            },
            "claim exp: not after nbf",
        ),
        (
            Claims {
                exp: NOW + MAX_LIFE + 1,
                ..good.clone()
            },
            "claim exp: 401 days of life, at most 400 allowed",
        ),
        (
            Claims {
                exp: u64::MAX,
                ..good.clone()
            },
            "claim exp: not a time before the year 10000",
        ),
        (
            Claims {
                vm_cert_sha256: vec![],
                ..good.clone()
            },
            "claim vm_cert_sha256: not 1 to 16 hashes",
        ),
        (
            Claims {
                vm_cert_sha256: many,
                ..good.clone()
            },
            "claim vm_cert_sha256: not 1 to 16 hashes",
        ),
        (
            Claims {
                hv_domain: text("a\u{1B}[2J"),
                ..good.clone()
            },
            "claim hv_domain: not 1 to 255 bytes of text without control characters",
        ),
        (
            Claims {
                hv_domain: text(&"a".repeat(256)),
                ..good.clone()
            },
            "claim hv_domain: not 1 to 255 bytes of text without control characters",
        ),
    ];
    for (claims, says) in bad {
        let error = sign(&claims, key, SignatureAlgorithm::EdDsa).expect_err(says);
        assert_eq!(error.to_string(), format!("no such token can be: {says}"));
    }
    let late = Claims {
        nbf: Some(NOW + MAX_LIFE),
        exp: NOW + 2 * MAX_LIFE,
        ..good
    };
    assert!(sign(&late, key, SignatureAlgorithm::EdDsa).is_ok());
}

#[test]
fn the_most_claims_fit_with_the_largest_key_a_file_can_hold() {
    let (certificate, key) = &HVS[1];
    let mut claims = claims(certificate.id());
    claims.cnf = ConfirmationKey::P256([4; 65]);
    claims.nbf = Some(NOW);
    claims.vm_cert_sha256 = vec![[9; 32]; 16];
    claims.hv_domain = Some("d".repeat(255));
    let token = sign(&claims, key, SignatureAlgorithm::Ps256).expect("a good token");
    // An RSA key of 4096 bits signs with 512 bytes, this one with 384.
    assert!(token.len() + 512 - 384 <= MAX_TOKEN_LEN, "{}", token.len());
}

/// Any claims a token can have.
pub(super) fn any_claims() -> impl Strategy<Value = Claims> {
    let key = prop_oneof![
        any::<[u8; 32]>().prop_map(ConfirmationKey::Ed25519),
        any::<([u8; 32], [u8; 32])>().prop_map(|(x, y)| {
            let point = [&[4][..], &x, &y].concat();
            ConfirmationKey::P256(point.try_into().expect("65 bytes"))
        }),
    ];
    let hashes = prop::collection::vec(any::<[u8; 32]>(), 1..=16);
    let hv_domain = prop::option::of("[ -~äß→]{1,80}");
    let times = (0..=NOW, prop::option::of(0..=MAX_LIFE), 1..=MAX_LIFE);
    let names = any::<([u8; 32], [u8; 16], [u8; 16])>();
    let all = (names, times, key, hashes, hv_domain);
    all.prop_map(
        |((iss, sub, cti), (iat, nbf, life), cnf, vm_cert_sha256, hv_domain)| {
            let nbf = nbf.map(|later| iat + later);
            let exp = nbf.unwrap_or(iat) + life;
            let (iss, sub) = (HvId(iss), DomainUuid::from_bytes(sub));
            Claims {
                iss,
                sub,
                exp,
                nbf,
                iat,
                cti,
                cnf,
                vm_cert_sha256,
                hv_domain,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_signed_decodes_to_the_same(claims in any_claims()) {
        let (_, key) = &HVS[3];
        let token = sign(&claims, key, SignatureAlgorithm::EdDsa).expect("a good token");
        prop_assert_eq!(decode(&token), Ok((SignatureAlgorithm::EdDsa, claims)));
    }

    #[test]
    fn any_bytes_are_an_error_and_no_panic(bytes: Vec<u8>) {
        prop_assert!(decode(&bytes).is_err());
    }
}

//! Attacks on the envelope: algorithm, headers, encoding, length.

use coset::cbor::value::Value;
use ring::hmac;

use super::forgery::*;
use super::tests::{HVS, claims};
use super::*;
use crate::hv::{HvCertificate, HvSigner as _};
use crate::pem;

const ONLY: &str = "is not one of PS256, RS256, ES256, EdDSA";

#[test]
fn without_a_fault_the_forger_makes_good_tokens() {
    assert_eq!(refusal(&Forgery::of_good().token()), "nothing");
}

#[test]
fn a_signature_by_a_key_of_another_kind_is_refused_whatever_the_header_says() {
    // The RSA key of another HV signs for the one with a P-256 key.
    for (number, algorithm) in [
        (-37, SignatureAlgorithm::Ps256),
        (-257, SignatureAlgorithm::Rs256),
    ] {
        let mut forgery = Forgery::of_good();
        forgery.signer = &HVS[RSA].1;
        forgery.algorithm = algorithm;
        forgery.protected = header(&[(int(1), int(number)), (int(16), text(TOKEN_TYPE))]);
        let why = format!("algorithm {algorithm} does not fit the HV key, which is P-256");
        assert_eq!(refusal(&forgery.token()), why);
        // The same, with the algorithm of the HV in the header.
        forgery.protected = Forgery::of_good().protected;
        assert_eq!(
            refusal(&forgery.token()),
            "the signature is not that of the HV key"
        );
    }
}

#[test]
fn a_token_in_the_name_of_one_hv_signed_by_each_other_is_refused() {
    for (named, _) in &*HVS {
        for (other, key) in HVS.iter().filter(|(other, _)| other.id() != named.id()) {
            for algorithm in key.algorithms() {
                let token = sign(&claims(named.id()), key, *algorithm).expect("a token");
                let why = verify(&token, &[named.clone(), other.clone()]);
                let why = why.expect_err("signed by another");
                assert!(
                    matches!(
                        why,
                        TokenError::Signature | TokenError::AlgorithmForKey { .. }
                    ),
                    "{why}"
                );
            }
        }
    }
}

#[test]
fn the_algorithm_is_signed() {
    let (certificate, key) = &HVS[RSA];
    let claims = claims(certificate.id());
    let [pss, pkcs1] = [SignatureAlgorithm::Ps256, SignatureAlgorithm::Rs256]
        .map(|algorithm| sign(&claims, key, algorithm).expect("a token"));
    // The numbers are of different length; so the signature of one is put below the other.
    let signature_at = |token: &[u8]| token.len() - 256;
    let (pss_body, _) = pss.split_at(signature_at(&pss));
    let (_, pkcs1_signature) = pkcs1.split_at(signature_at(&pkcs1));
    let mixed = [pss_body, pkcs1_signature].concat();
    assert_eq!(refusal(&mixed), "the signature is not that of the HV key");
}

#[test]
fn the_public_key_is_no_hmac_key_and_no_signature_is_none() {
    let (certificate, _) = &HVS[ES256];
    let public = pem::encode("PUBLIC KEY", certificate.spki_der());
    let keys: [&[u8]; 4] = [
        certificate.spki_der(),
        public.as_bytes(),
        certificate.der(),
        &certificate.spki_der()[26..],
    ];
    // HMAC 256/64 and 256/256 (RFC 9053 §3.1), and their MAC under the headers of an honest token.
    for number in [4, 5, -7] {
        for key in keys {
            let mut forgery = Forgery::of_good();
            forgery.protected = header(&[(int(1), int(number)), (int(16), text(TOKEN_TYPE))]);
            let payload = forgery.payload();
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            let mac = hmac::sign(&key, &forgery.to_be_signed(&payload));
            let why = refusal(&forgery.envelope(&payload, mac.as_ref()));
            match number {
                -7 => assert_eq!(why, "the signature is not that of the HV key"),
                _ => assert!(why.contains(ONLY), "{why}"),
            }
        }
    }
    let mut forgery = Forgery::of_good();
    for (number, says) in [
        (int(0), ONLY),
        (text("none"), ONLY),
        (text("RS256"), ONLY),
        (int(-38), ONLY),
        (int(-70_000), ONLY),
        (int(-9999), "protected header: expected value in IANA"),
        (Value::Null, "protected header: got nul, expected int/tstr"),
    ] {
        forgery.protected = header(&[(int(1), number), (int(16), text(TOKEN_TYPE))]);
        for signature in [&b""[..], &[0; 64]] {
            let why = refusal(&forgery.envelope(&forgery.payload(), signature));
            assert!(why.contains(says), "{why}");
        }
    }
    forgery.protected = header(&[(int(16), text(TOKEN_TYPE))]);
    assert_eq!(
        refusal(&forgery.token()),
        "protected header: no algorithm (1)"
    );
    forgery.protected = Vec::new();
    assert_eq!(
        refusal(&forgery.token()),
        "protected header: no algorithm (1)"
    );
    let good = Forgery::of_good();
    for signature in [&b""[..], &[0; 64], &[0xFF; 64]] {
        let token = good.envelope(&good.payload(), signature);
        assert_eq!(refusal(&token), "the signature is not that of the HV key");
    }
}

#[test]
fn the_header_holds_algorithm_and_type_and_nothing_else() {
    let alg = || (int(1), int(-7));
    let typ = || (int(16), text(TOKEN_TYPE));
    let crit = |labels: &[i64]| {
        let labels = labels.iter().copied().map(int).collect();
        (int(2), Value::Array(labels))
    };
    let bytes = |label: i64| (int(label), Value::Bytes(vec![1]));
    for (entries, says) in [
        (vec![alg()], "protected header: type (16) is not"),
        (
            vec![alg(), (int(16), text("JWT"))],
            "protected header: type (16) is not",
        ),
        (
            vec![alg(), (int(16), int(61))],
            "protected header: type (16) is not",
        ),
        (
            vec![alg(), crit(&[99]), typ(), (int(99), int(1))],
            "protected header: expected value in IANA",
        ),
        (
            vec![alg(), crit(&[99]), typ()],
            "expected value in IANA or private use range",
        ),
        (
            vec![alg(), crit(&[-70_000]), typ()],
            "protected header: unknown label 2",
        ),
        (
            vec![alg(), crit(&[1]), typ()],
            "protected header: unknown label 2",
        ),
        (
            vec![alg(), crit(&[16]), typ()],
            "protected header: unknown label 2",
        ),
        (
            vec![alg(), (int(3), int(61)), typ()],
            "protected header: unknown label 3",
        ),
        (
            vec![alg(), bytes(4), typ()],
            "protected header: unknown label 4",
        ),
        (
            vec![alg(), typ(), bytes(33)],
            "protected header: unknown label 33",
        ),
        (
            vec![alg(), typ(), (text("tessera"), int(1))],
            "protected header: unknown label \"tessera\"",
        ),
        (
            vec![alg(), alg(), typ()],
            "protected header: duplicate map key",
        ),
        (
            vec![alg(), typ(), typ()],
            "protected header: duplicate map key",
        ),
        (vec![typ(), alg()], "byte 5: not deterministic CBOR"),
    ] {
        let mut forgery = Forgery::of_good();
        forgery.protected = header(&entries);
        let why = refusal(&forgery.token());
        assert!(why.contains(says), "{entries:?}: {why}");
    }
    for (entry, label) in [
        (alg(), "1"),
        (crit(&[1]), "2"),
        (bytes(4), "4"),
        (typ(), "16"),
    ] {
        let mut forgery = Forgery::of_good();
        forgery.unprotected = header(&[entry]);
        let why = format!("unprotected header: unknown label {label}");
        assert_eq!(refusal(&forgery.token()), why);
    }
    let mut forgery = Forgery::of_good();
    forgery.protected.push(0);
    assert!(refusal(&forgery.token()).contains("extraneous data"));
    forgery.protected = b"\xBF\x01\x26\x10\x74tessera-vm-token+cwt\xFF".to_vec();
    assert!(refusal(&forgery.token()).contains("not deterministic CBOR"));
}

#[test]
fn only_what_was_signed_for_this_purpose_counts() {
    for external_aad in [&b""[..], b"tessera vm-auth-token v2"] {
        let mut forgery = Forgery::of_good();
        forgery.external_aad = external_aad.to_vec();
        assert_eq!(
            refusal(&forgery.token()),
            "the signature is not that of the HV key"
        );
    }
}

#[test]
fn the_envelope_has_one_encoding() {
    let good = Forgery::of_good();
    let token = good.token();
    // tag and array of 4, then the byte string with the protected header.
    let inner = &token[1..];
    let items = &token[2..];
    let (protected, rest) = items.split_at(bstr(&good.protected).len());
    let long_head = [b"\xD2\x84\x59\x00", &protected[1..], rest].concat();
    let chunks = [b"\xD2\x84\x5F", protected, b"\xFF", rest].concat();
    let signature = &token[token.len() - 64..];
    let body = &token[..token.len() - 66];
    for (other, says) in [
        (inner.to_vec(), "no tag"),
        ([b"\xD8\x3D", &*token].concat(), "another tag"),
        ([b"\xD2", &*token].concat(), "no array in it"),
        ([b"\xD1", inner].concat(), "another tag"),
        ([b"\xD8\x62", inner].concat(), "another tag"),
        ([b"\xD8\x12", inner].concat(), "byte 0: not deterministic"),
        (
            [b"\xD2\x98\x04", items].concat(),
            "byte 1: not deterministic",
        ),
        (
            [b"\xD2\x9F", items, b"\xFF"].concat(),
            "byte 1: not deterministic",
        ),
        ([b"\xD2\x85", items, b"\x40"].concat(), "not an array of 4"),
        ([b"\xD2\x83", &body[2..]].concat(), "not an array of 4"),
        (long_head, "byte 2: not deterministic"),
        (chunks, "byte 2: not deterministic"),
        (
            [body, b"\x59\x00\x40", signature].concat(),
            "not deterministic",
        ),
        (
            [body, b"\x5F\x58\x40", signature, b"\xFF"].concat(),
            "not deterministic",
        ),
        ([&*token, b"\0"].concat(), "extraneous data"),
        ([&*token, &token].concat(), "extraneous data"),
        (
            [&token[..token.len() - 1], b""].concat(),
            "decode CBOR failure",
        ),
    ] {
        let why = refusal(&other);
        assert!(why.contains(says), "{says}: {why}");
    }
}

#[test]
fn long_deep_and_empty_tokens_are_refused_before_they_are_read() {
    for got in [0, 2049, 3 * 1024, 1 << 20] {
        let why = format!("{got} bytes, 1 to 2048 accepted");
        assert_eq!(refusal(&vec![0xD2; got]), why);
    }
    let mut padded = Forgery::of_good();
    let hv_domain = cbor(&text(&"d".repeat(2600)));
    padded.claims.push((cbor(&text("hv_domain")), hv_domain));
    assert!(padded.token().len() > 2700);
    assert!(refusal(&padded.token()).ends_with("1 to 2048 accepted"));
    // Arrays in arrays, tags on tags, maps in maps; lengths that nothing follows.
    for byte in [0x81, 0xD2, 0xA1, 0x9F, 0xBF, 0x5F] {
        assert_ne!(refusal(&[byte; 2048]), "nothing");
    }
    for head in [0x9B, 0xBB, 0x5B, 0x7B] {
        for length in [[0xFF; 8], [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]] {
            let claimed = [&[0xD2, 0x84, head][..], &length].concat();
            assert_ne!(refusal(&claimed), "nothing");
        }
    }
}

#[test]
fn a_token_for_nobody_is_refused_by_everybody() {
    let token = Forgery::of_good().token();
    let nobody: [HvCertificate; 0] = [];
    let unknown = TokenError::Issuer(HVS[ES256].0.id());
    assert_eq!(verify(&token, &nobody), Err(unknown));
}

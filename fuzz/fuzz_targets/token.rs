//! Tokens of anybody, and genuine ones that were changed: what is believed was signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::hv::{HvCertificate, HvId, HvSigner};
use proto::token::{
    ConfirmationKey, EXTERNAL_AAD, MAX_TOKEN_LEN, SignatureAlgorithm, TokenError, decode,
    from_text, sign, to_text, verify,
};
use tessera_fuzz::hv::{GENUINE, HVS};
use tessera_fuzz::pieces::pieces;

fuzz_target!(|input: &[u8]| {
    let Some((&way, input)) = input.split_first() else {
        return;
    };
    match way {
        0 => judge(input),
        1 => {
            let Ok(text) = str::from_utf8(input) else {
                return;
            };
            if let Ok(token) = from_text(text) {
                assert!((1..=MAX_TOKEN_LEN).contains(&token.len()));
                assert_eq!(text.trim_ascii(), to_text(&token));
                judge(&token);
            }
        }
        2 => changed(input),
        3 => signed_whatever_it_is(input),
        4 => {
            for certificate in [
                HvCertificate::from_der(input),
                HvCertificate::from_pem(input),
            ] {
                let Ok(certificate) = certificate else {
                    continue;
                };
                assert_eq!(certificate.id(), HvId::of(certificate.der()));
                let again = HvCertificate::from_der(certificate.der()).expect("read before");
                assert_eq!(again.spki_der(), certificate.spki_der());
            }
        }
        _ => {
            for key in [
                ConfirmationKey::from_spki_der(input),
                ConfirmationKey::from_pem(input),
            ] {
                let Ok(key) = key else { continue };
                assert_eq!(
                    ConfirmationKey::from_pem(key.to_pem().as_bytes()),
                    Ok(key.clone())
                );
                assert_eq!(ConfirmationKey::from_spki_der(&key.spki_der()), Ok(key));
            }
        }
    }
});

/// Nothing is believed but what was signed. An ECDSA signature has a twin, so what counts is what
/// the token says, not its bytes.
fn judge(token: &[u8]) {
    let issuers = HVS.each_ref().map(|hv| hv.certificate.clone());
    let decoded = decode(token);
    match verify(token, &issuers) {
        Ok(claims) => {
            let (algorithm, seen) = decoded.expect("verified");
            assert_eq!(seen, claims);
            let is_genuine = GENUINE
                .iter()
                .any(|one| one.claims == claims && one.algorithm == algorithm);
            assert!(is_genuine, "nobody has signed {claims:?}");
        }
        Err(TokenError::Issuer(issuer)) => {
            let (_, claims) = decoded.expect("its form is good");
            assert_eq!(claims.iss, issuer);
            assert!(issuers.iter().all(|known| known.id() != issuer));
        }
        Err(TokenError::Signature | TokenError::AlgorithmForKey { .. }) => {
            decoded.expect("its form is good");
        }
        Err(error) => assert_eq!(decoded, Err(error)),
    }
}

/// `which token | place, 2 bytes | what is put there …`: pieces put in (0), put over (1), cut out (2),
/// swapped with the signature of another (3).
fn changed(input: &[u8]) {
    let Some((&which, input)) = input.split_first() else {
        return;
    };
    let genuine = &GENUINE[usize::from(which) % GENUINE.len()];
    let mut token = genuine.token.clone();
    for piece in pieces(input) {
        let Some((place, bytes)) = piece.bytes.split_first_chunk::<2>() else {
            continue;
        };
        let place = usize::from(u16::from_be_bytes(*place)) % (token.len() + 1);
        let end = (place + bytes.len()).min(token.len());
        match piece.kind {
            0 => {
                token.splice(place..place, bytes.iter().copied());
            }
            1 => token[place..end].copy_from_slice(&bytes[..end - place]),
            2 => {
                token.drain(place..end);
            }
            _ => {
                let other = &GENUINE[bytes.len() % GENUINE.len()].token;
                let kept = token.len().min(place);
                token.truncate(kept);
                token.extend_from_slice(other.get(place..).unwrap_or_default());
            }
        }
    }
    judge(&token);
}

/// `header | claims`, two pieces, truly signed: what is accepted has the one form.
fn signed_whatever_it_is(input: &[u8]) {
    let mut parts = pieces(input).map(|piece| piece.bytes);
    let (Some(protected), Some(payload)) = (parts.next(), parts.next()) else {
        return;
    };
    let [_, _, hv] = &*HVS;
    let message = [
        b"\x84\x6ASignature1",
        &*string(protected),
        &string(EXTERNAL_AAD),
        &string(payload),
    ];
    let algorithm = SignatureAlgorithm::EdDsa;
    let signature = hv.key.sign(algorithm, &message.concat()).expect("it signs");
    let token = [
        b"\xD2\x84",
        &*string(protected),
        b"\xA0",
        &string(payload),
        &string(&signature),
    ];
    let token = token.concat();
    let Ok(claims) = verify(&token, std::slice::from_ref(&hv.certificate)) else {
        return;
    };
    let once_more = sign(&claims, &hv.key, algorithm).expect("claims of a good token");
    // One hash may stand alone or in an array.
    assert!(once_more == token || claims.vm_cert_sha256.len() == 1);
    assert_eq!(decode(&once_more), Ok((algorithm, claims)));
}

/// A byte string in CBOR.
fn string(bytes: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(bytes.len()).expect("a piece").to_be_bytes();
    let head = match bytes.len() {
        0..24 => vec![0x40 | low],
        24..256 => vec![0x58, low],
        _ => vec![0x59, high, low],
    };
    [&head, bytes].concat()
}

//! HV keys and certificates as OpenSSL makes them.

use super::openssl::{HvFiles, KINDS};
use super::{CertificateError, HvCertificate, HvId, HvSigner, KeyError, SoftwareHvKey};
use crate::pem;
use crate::token::SignatureAlgorithm;

#[test]
fn a_key_made_by_openssl_belongs_to_its_certificate_and_signs_what_the_certificate_verifies() {
    for (genpkey, kind) in KINDS {
        let files = HvFiles::make(genpkey);
        let (key, certificate) = (files.key(), files.certificate());
        assert_eq!(certificate.key().to_string(), kind);
        assert_eq!(key.spki_der(), certificate.spki_der(), "{kind}");
        assert_eq!(key.algorithms(), certificate.key().algorithms(), "{kind}");
        let life = certificate.not_after() - certificate.not_before();
        assert_eq!(life, 30 * 86_400);
        for algorithm in SignatureAlgorithm::ALL {
            let signed = key.sign(algorithm, b"message");
            assert_eq!(signed.is_ok(), key.algorithms().contains(&algorithm));
            let Ok(signature) = signed else { continue };
            let verify = |algorithm, message, signature| {
                certificate
                    .key()
                    .verify(algorithm, message, signature)
                    .is_ok()
            };
            assert!(
                verify(algorithm, b"message", &*signature),
                "{kind} {algorithm}"
            );
            assert!(!verify(algorithm, b"massage", &signature));
            assert!(!verify(algorithm, b"message", &signature[1..]));
            for other in SignatureAlgorithm::ALL
                .into_iter()
                .filter(|one| *one != algorithm)
            {
                assert!(!verify(other, b"message", &signature), "{other}");
            }
        }
    }
}

#[test]
fn an_encrypted_key_needs_its_passphrase() {
    for (genpkey, kind) in KINDS {
        let files = HvFiles::make(genpkey);
        files.write("passphrase", b"correct horse\n");
        for way in [
            "-v2 aes256",
            "-v2 aes-128-cbc -v2prf hmacWithSHA512",
            "-scrypt",
        ] {
            let encrypt = "pkcs8 -topk8 -in key.pem -out enc.pem -passout file:passphrase";
            files.openssl(&format!("{encrypt} {way}"), b"");
            let read = |passphrase| SoftwareHvKey::from_pem(&files.read("enc.pem"), passphrase);
            let key = read(Some(b"correct horse")).unwrap_or_else(|why| panic!("{way}: {why}"));
            assert_eq!(
                key.spki_der(),
                files.certificate().spki_der(),
                "{kind} {way}"
            );
            assert_eq!(read(None).err(), Some(KeyError::PassphraseNeeded));
            assert_eq!(
                read(Some(b"wrong horse")).err(),
                Some(KeyError::Passphrase),
                "{way}"
            );
        }
    }
}

#[test]
fn keys_that_sign_no_tokens_are_refused() {
    for (genpkey, says) in [
        ("rsa -pkeyopt rsa_keygen_bits:1024", "RSA 1024"),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "another curve"),
        (
            "rsa-pss -pkeyopt rsa_keygen_bits:2048",
            "1.2.840.113549.1.1.10",
        ),
        ("ed448", "1.3.101.113"),
    ] {
        let files = HvFiles::make(genpkey);
        let read = HvCertificate::from_pem(&files.read("cert.pem"));
        let error = read.expect_err(genpkey).to_string();
        assert!(error.contains(says), "{error}");
        assert!(
            SoftwareHvKey::from_pem(&files.read("key.pem"), None).is_err(),
            "{genpkey}"
        );
    }
    let files = HvFiles::make(KINDS[0].0);
    let traditional = files.openssl("rsa -in key.pem -traditional", b"");
    let label = "RSA PRIVATE KEY".to_owned();
    let refused = SoftwareHvKey::from_pem(&traditional, None).err();
    assert_eq!(refused, Some(KeyError::NotPkcs8(label)));
    for other in [
        &b""[..],
        b"\xFF",
        &files.read("cert.pem"),
        &files.read("key.pem")[..200],
    ] {
        assert!(SoftwareHvKey::from_pem(other, None).is_err());
    }
}

#[test]
fn a_certificate_is_read_whole_and_named_by_its_der() {
    let files = HvFiles::make("ed25519");
    let der = files.openssl("x509 -in cert.pem -outform DER", b"");
    let certificate = HvCertificate::from_der(&der).expect("a good certificate");
    assert_eq!(certificate.der(), der);
    assert_eq!(certificate.id(), HvId::of(&der));
    let printed = files.openssl("x509 -in cert.pem -noout -fingerprint -sha256", b"");
    let printed = String::from_utf8(printed)
        .expect("text")
        .to_lowercase()
        .replace(':', "");
    let hash = certificate.id().to_string().replace("hv:sha256:", "");
    assert!(printed.contains(&hash), "{printed} {hash}");

    for len in 0..der.len() {
        let prefix = HvCertificate::from_der(&der[..len]);
        assert_eq!(prefix.err(), Some(CertificateError::Unreadable), "{len}");
    }
    let longer = [&der[..], &[0]].concat();
    let trailing = HvCertificate::from_pem(pem::encode("CERTIFICATE", &longer).as_bytes());
    assert_eq!(trailing.err(), Some(CertificateError::TrailingBytes));
    let too_long = HvCertificate::from_der(&[0x30; 16 * 1024 + 1]);
    assert_eq!(too_long.err(), Some(CertificateError::TooLong));
}

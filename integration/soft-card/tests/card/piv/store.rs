//! The card as a directory: personalised, opened, opened again.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proto::piv::{CertificateObject, Chuid, TlvWriter};
use soft_card::piv::SlotPem;
use soft_card::store::StoreError;
use soft_card::{CardDirectory, CardSettings, IdentityPem, Profile};
use tempfile::TempDir;

use super::host::{Host, PIN, expect, fresh_pins, slot};
use crate::pki::{Ca, Certified, KeyKind, factory_pins};

fn personalise(path: &Path, name: &str, key: &Certified, gzip: bool) -> Result<(), StoreError> {
    let parts = SlotPem {
        key: key.key_pem.as_bytes(),
        certificate: key.certificate_pem.as_bytes(),
    };
    CardDirectory::create(path)?.personalise_piv(slot(name), parts, gzip, &fresh_pins())
}

/// A card with RSA in 9A and P-256 in 9C and, compressed, in 82.
fn personalised() -> (TempDir, PathBuf, Vec<Certified>) {
    let (folder, ca) = (TempDir::new().expect("a temporary folder"), Ca::new());
    let path = folder.path().join("card");
    let kinds = [KeyKind::RsaCard, KeyKind::P256, KeyKind::P256];
    let keys: Vec<_> = kinds.map(|kind| ca.issue("card.example.org", kind)).into();
    for (name, key) in ["9a", "9c", "82"].into_iter().zip(&keys) {
        personalise(&path, name, key, name == "82").expect("a free slot");
    }
    (folder, path, keys)
}

fn host(path: &Path) -> Host {
    let directory = CardDirectory::open(path).expect("not in use");
    Host::new(directory.piv_card().expect("as it was written"))
}

fn object(host: &mut Host, tag: &[u8]) -> Vec<u8> {
    let list = TlvWriter::new().with(0x5C, tag).into_bytes();
    let answer = host.command(0xCB, 0x3F, 0xFF, &list).expect("is there");
    expect(&answer, 0x53)
}

#[test]
fn a_stored_card_shows_its_certificates_and_signs() {
    let (_folder, path, keys) = personalised();
    let mut host = host(&path);
    for (tag, key, compressed) in [(0x05, 0, false), (0x0A, 1, false), (0x0D, 2, true)] {
        let object = object(&mut host, &[0x5F, 0xC1, tag]);
        let certificate = CertificateObject::decode(&object).expect("well formed");
        let der = keys[key].certificate.to_vec();
        assert_eq!(certificate, Some(CertificateObject { der, compressed }));
    }
    let history = object(&mut host, &[0x5F, 0xC1, 0x0C]);
    assert_eq!(history[..3], [0xC1, 1, 1], "one retired key");
    assert_eq!(host.verify(PIN), Ok(vec![]));
    assert!(host.sign(0x11, 0x9C, &[7; 32]).is_ok());
    assert!(host.sign(0x11, 0x82, &[7; 32]).is_ok());
}

#[test]
fn each_card_has_a_guid_of_its_own_and_keeps_it() {
    let guid = |path: &Path| {
        let object = object(&mut host(path), &[0x5F, 0xC1, 0x02]);
        let chuid = Chuid::decode(&object).expect("well formed");
        chuid.guid.expect("16 bytes")
    };
    let (_one, one, keys) = personalised();
    let (_other, other, _) = personalised();
    let of_one = guid(&one);
    assert_ne!(of_one, guid(&other));
    personalise(&one, "9e", &keys[1], false).expect("a free slot");
    assert_eq!(guid(&one), of_one);
}

#[test]
fn used_tries_survive_a_restart_and_the_puk_gives_them_back() {
    let (_folder, path, _) = personalised();
    let wrong = b"111111\xFF\xFF";
    for left in [2, 1, 0] {
        assert_eq!(host(&path).verify(wrong), Err(0x63C0 | left));
    }
    assert_eq!(host(&path).verify(PIN), Err(0x6983));
    let unblock = b"12345678654321\xFF\xFF";
    assert_eq!(host(&path).command(0x2C, 0, 0x80, unblock), Ok(vec![]));
    assert_eq!(host(&path).verify(b"654321\xFF\xFF"), Ok(vec![]));
}

#[test]
fn nobody_else_may_read_the_card() {
    let (_folder, path, _) = personalised();
    for (file, mode) in [
        ("keys", 0o700),
        ("keys/9a.pem", 0o600),
        ("objects/5fc102", 0o600),
    ] {
        let metadata = path.join(file).metadata().expect("is there");
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{file}");
    }
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let (_folder, path, keys) = personalised();
    let refused = |name: &str, key: &Certified| personalise(&path, name, key, false).err();
    let taken = refused("9a", &keys[0]);
    assert!(matches!(taken, Some(StoreError::NameTaken { .. })));
    let ca = Ca::new();
    let mut mixed = ca.issue("card.example.org", KeyKind::P256);
    mixed.key_pem.clone_from(&keys[1].key_pem);
    let mismatch = refused("9e", &mixed);
    assert!(matches!(mismatch, Some(StoreError::Identity { .. })));
    let mut chain = ca.issue("card.example.org", KeyKind::P256);
    chain.certificate_pem.push_str(&ca.pem());
    let chain = refused("9e", &chain).expect("one certificate").to_string();
    assert!(chain.ends_with("2 of them, a slot holds one"), "{chain}");
    assert!(!path.join("keys/9e.pem").exists());

    let change = b"123456\xFF\xFF654321\xFF\xFF";
    assert_eq!(host(&path).command(0x24, 0, 0x80, change), Ok(vec![]));
    let other_pin = refused("9e", &keys[1]);
    assert!(matches!(other_pin, Some(StoreError::OtherPin)));
}

#[test]
fn a_card_is_of_one_profile() {
    let (_folder, path, keys) = personalised();
    let mut directory = CardDirectory::open(&path).expect("not in use");
    assert_eq!(directory.profile().expect("readable"), Profile::Piv);
    let refused = directory.card(CardSettings::default()).err();
    let is_piv = |err: Option<StoreError>| {
        matches!(
            err,
            Some(StoreError::OtherProfile {
                is: Profile::Piv,
                ..
            })
        )
    };
    assert!(is_piv(refused));
    let ca = Ca::new().pem();
    let parts = IdentityPem {
        key: keys[0].key_pem.as_bytes(),
        certificates: keys[0].certificate_pem.as_bytes(),
        ca: ca.as_bytes(),
    };
    let name = "web01".parse().expect("printable");
    assert!(is_piv(
        directory
            .personalise(&name, "", parts, &factory_pins())
            .err()
    ));
}

//! The card as a directory: personalised, opened, opened again.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustls::version::TLS12;
use soft_card::store::StoreError;
use soft_card::{CardDirectory, CardSettings, IdentityPem};
use tempfile::TempDir;

use crate::host::Host;
use crate::pki::{Ca, Certified, KeyKind, factory_pins};
use crate::server::Server;

fn personalise(path: &Path, ca: &Ca, name: &str, key: &Certified) -> Result<(), StoreError> {
    let ca = ca.pem();
    let parts = IdentityPem {
        key: key.key_pem.as_bytes(),
        certificates: key.certificate_pem.as_bytes(),
        ca: ca.as_bytes(),
    };
    let name = name.parse().expect("printable");
    CardDirectory::create(path)?.personalise(&name, "someone", parts, &factory_pins())
}

/// A card with the identities web01 and db/7, in a directory of its own.
fn card_directory() -> (TempDir, Ca) {
    let (folder, ca) = (TempDir::new().expect("a temporary folder"), Ca::new());
    for name in ["web01", "db/7"] {
        let key = ca.issue("card.example.org", KeyKind::P256);
        personalise(&folder.path().join("card"), &ca, name, &key).expect("a new name");
    }
    (folder, ca)
}

fn open(folder: &TempDir) -> CardDirectory {
    CardDirectory::open(&folder.path().join("card")).expect("not in use")
}

fn host(directory: &CardDirectory) -> Host {
    Host::new(
        directory
            .card(CardSettings::default())
            .expect("as it was written"),
    )
}

#[test]
fn a_stored_card_runs_a_handshake() {
    let (folder, ca) = card_directory();
    let server = Server::new(&ca, &ca.issue("server.example.org", KeyKind::P256), &TLS12);
    let directory = open(&folder);
    let mut host = host(&directory);
    host.select();
    assert_eq!(host.command(0x17, 0, 1, &[]), Ok(b"web01".to_vec()));
    assert_eq!(host.command(0x17, 0, 1, &[]), Ok(b"db/7".to_vec()));
    host.set_identity("db/7");
    assert!(server.handshake(&mut host).is_ok());
}

#[test]
fn used_tries_survive_a_restart() {
    let (folder, _) = card_directory();
    let aid = *b"\x00\xA4\x04\x00\x10\xA0\x00\x00\x00\x30\x00\x02\xFF\xFF\xFF\xFF\x89128\x00";
    for left in [2, 1, 0, 0] {
        let directory = open(&folder);
        let mut host = host(&directory);
        assert_eq!(host.transmit_raw(&aid).1, 0x9000);
        assert_eq!(host.command(0x20, 0, 0, b"1111"), Err(0x6300 | left));
    }
    let directory = open(&folder);
    let mut host = host(&directory);
    assert_eq!(host.transmit_raw(&aid).1, 0x9000);
    assert_eq!(host.command(0x20, 0, 0, b"0000"), Err(0x6300), "blocked");
    assert_eq!(host.command(0x20, 0, 1, b"00000000"), Ok(vec![]));
    assert_eq!(host.command(0x20, 0, 0, b"0000"), Ok(vec![]));
}

#[test]
fn a_changed_pin_survives_a_restart() {
    let (folder, _) = card_directory();
    let directory = open(&folder);
    let mut first = host(&directory);
    first.select();
    assert_eq!(
        first.command(0x24, 0, 0, b"0000\xFF\xFF\xFF\xFF12345678"),
        Ok(vec![])
    );

    let mut second = host(&directory);
    second.transmit_raw(
        b"\x00\xA4\x04\x00\x10\xA0\x00\x00\x00\x30\x00\x02\xFF\xFF\xFF\xFF\x89128\x00",
    );
    assert_eq!(second.command(0x20, 0, 0, b"0000"), Err(0x6302));
    assert_eq!(second.command(0x20, 0, 0, b"12345678"), Ok(vec![]));
}

#[test]
fn nobody_else_may_read_the_card() {
    let (folder, _) = card_directory();
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    let mut pending = vec![folder.path().join("card")];
    let mut files = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
            let entries = std::fs::read_dir(&path).expect("readable");
            pending.extend(entries.map(|entry| entry.expect("readable").path()));
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            files += 1;
        }
    }
    assert_eq!(
        files,
        3 + 2 * 3,
        "index, PINs, lock; key, certificate, CA of each identity"
    );
}

#[test]
fn a_card_is_in_one_reader_at_a_time() {
    let (folder, _) = card_directory();
    let first = open(&folder);
    let again = CardDirectory::open(&folder.path().join("card"));
    assert!(matches!(again, Err(StoreError::InUse { .. })));
    drop(first);
    open(&folder);
}

#[test]
fn a_name_a_pin_or_a_key_that_does_not_fit_changes_nothing() {
    let (folder, ca) = card_directory();
    let path = folder.path().join("card");
    let key = ca.issue("card.example.org", KeyKind::P256);
    let taken = personalise(&path, &ca, "web01", &key);
    assert!(matches!(taken, Err(StoreError::NameTaken { .. })));

    let mut mixed = ca.issue("card.example.org", KeyKind::P256);
    mixed.key_pem = key.key_pem;
    let mismatch = personalise(&path, &ca, "web02", &mixed);
    assert!(matches!(mismatch, Err(StoreError::Identity { .. })));

    let directory = open(&folder);
    let mut host = host(&directory);
    host.select();
    assert_eq!(
        host.command(0x24, 0, 0, b"0000\xFF\xFF\xFF\xFF1234\xFF\xFF\xFF\xFF"),
        Ok(vec![])
    );
    drop(directory);
    let key = ca.issue("card.example.org", KeyKind::P256);
    assert!(matches!(
        personalise(&path, &ca, "web02", &key),
        Err(StoreError::OtherPin)
    ));
}

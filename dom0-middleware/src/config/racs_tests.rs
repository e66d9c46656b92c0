//! `[racs]`: what is taken, what is refused, where.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proto::racs::AllowList;
use tempfile::TempDir;

use super::tests::{parse, refused_at};

const CARD: &str = "[[card_source]]\nkind = \"vicc\"\nseid = \"se-00\"\nsocket = \"/s\"\n";

fn user(card: &str) -> String {
    format!("{CARD}[[racs.user]]\nname = \"factory\"\n[[racs.user.card]]\n{card}")
}

#[test]
fn it_is_off_unless_it_is_enabled() {
    assert!(parse("").expect("good").racs.is_none());
    assert!(
        parse("[racs]\nlisten = \"::\"\n")
            .expect("good")
            .racs
            .is_none()
    );
    refused_at(2, "racs.listen", "[racs]\nenabled = true\n");
    let listen = "[racs]\nenabled = true\nlisten = \"127.0.0.1\"\n";
    refused_at(2, "racs.certificate", listen);
    refused_at(2, "racs.key", &format!("{listen}certificate = \"/c\"\n"));
    let all_but_ca = format!("{listen}certificate = \"/c\"\nkey = \"/k\"\n");
    refused_at(2, "racs.client_ca", &all_but_ca);
    let racs = parse(&format!("{all_but_ca}client_ca = \"/a\"\n")).expect("good");
    let racs = racs.racs.expect("enabled");
    assert_eq!(racs.listen.to_string(), "127.0.0.1:7777");
    assert_eq!((racs.max_connections, racs.idle_lock.as_secs()), (64, 60));
}

#[test]
fn a_mistake_about_a_user_is_named_by_its_line() {
    let all = "seid = \"se-00\"\noperations = [\"inventory\", \"power\", \"apdu\"]\n";
    parse(&user(all)).expect("good");
    refused_at(
        8,
        "no card with seid \"se-01\"; there is \"se-00\"",
        &user(&all.replace("00", "01")),
    );
    refused_at(
        9,
        "name at least one",
        &user("seid = \"se-00\"\noperations = []\n"),
    );
    let listed = "seid = \"se-00\"\noperations = [\"power\"]\napdu_allow = \"/list\"\n";
    refused_at(10, "racs.user.card.apdu_allow", &user(listed));
    refused_at(
        11,
        "twice",
        &format!("{}[[racs.user.card]]\n{all}", user(all)),
    );
    refused_at(
        11,
        "twice",
        &format!("{}[[racs.user]]\nname = \"factory\"\n", user(all)),
    );
    refused_at(2, "common name", "[[racs.user]]\nname = \"\"\n");
    for unknown in [
        "[racs]\nport = 1\n".to_owned(),
        format!("{}inventory = true\n", user(all)),
        user("seid = \"se-00\"\noperations = [\"sign\"]\n"),
        "[racs]\nlisten = \"a b\"\n".to_owned(),
    ] {
        parse(&unknown).expect_err(&unknown);
    }
}

#[test]
fn keys_that_several_domains_rest_on_are_no_matter_of_raw_apdus() {
    let card = format!("{CARD}[[card]]\nseid = \"se-00\"\nraw_key_use = true\n");
    assert!(parse(&card).expect("good").readers[0].raw_key_use);
    let uuid = "7e55e2a0-0000-4000-8000-000000000007";
    let shared = format!(
        "{card}[[binding]]\nvm = \"{uuid}\"\ncard = \"se-00\"\ntrust = \"/ca\"\nshared = true\n"
    );
    refused_at(7, "card.raw_key_use", &shared);
}

/// A folder with a server's files, and the configuration of it.
fn with_files(folder: &TempDir) -> String {
    let path = |name: &str| folder.path().join(name);
    let made = rcgen::generate_simple_self_signed(vec!["grid.example".to_owned()]);
    let made = made.expect("a certificate");
    fs::write(path("cert.pem"), made.cert.pem()).expect("writable");
    fs::write(path("ca.pem"), made.cert.pem()).expect("writable");
    write_key(&path("key.pem"), &made.signing_key.serialize_pem(), 0o600);
    let at = |name| format!("{:?}", path(name));
    format!(
        "[racs]\nenabled = true\nlisten = \"::\"\ncertificate = {}\nkey = {}\nclient_ca = {}\n{}",
        at("cert.pem"),
        at("key.pem"),
        at("ca.pem"),
        user(&format!(
            "seid = \"se-00\"\noperations = [\"apdu\"]\napdu_allow = {}\n",
            at("list")
        ))
    )
}

fn write_key(path: &Path, pem: &str, mode: u32) {
    fs::write(path, pem).expect("writable");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = parse(&with_files(&folder)).expect("good");
    let path = |name: &str| folder.path().join(name);
    let refused = || config.racs_files().expect_err("a mistake").to_string();
    // A list that cannot be read is none: not one that lets everything pass.
    assert!(
        refused().starts_with("test.toml:16: racs.user.card.apdu_allow: "),
        "{}",
        refused()
    );
    fs::write(path("list"), "FFFFFF00 00A40400\nnonsense\n").expect("writable");
    assert!(refused().contains("list"));
    fs::write(path("list"), "FFFFFF00 00A40400\n").expect("writable");
    let files = config.racs_files().expect("all good").expect("enabled");
    assert!(files.settings.users.contains_key("factory"));
    let list: AllowList = "FFFFFF00 00A40400".parse().expect("a list");
    assert!(list.permits([0x00, 0xA4, 0x04, 0x0C]));

    let key = fs::read_to_string(path("key.pem")).expect("there");
    write_key(&path("key.pem"), &key, 0o644);
    assert!(
        refused().starts_with("test.toml:5: racs.key: "),
        "{}",
        refused()
    );
    let other = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    write_key(&path("key.pem"), &other, 0o600);
    assert!(
        refused().starts_with("test.toml:4: racs.certificate: "),
        "{}",
        refused()
    );
    write_key(&path("key.pem"), "no key", 0o600);
    assert!(
        refused().starts_with("test.toml:5: racs.key: "),
        "{}",
        refused()
    );
    write_key(&path("key.pem"), &key, 0o600);
    fs::write(path("ca.pem"), "nothing").expect("writable");
    assert!(
        refused().starts_with("test.toml:6: racs.client_ca: "),
        "{}",
        refused()
    );
    fs::remove_file(path("ca.pem")).expect("there");
    let now = super::tests::NOW;
    let missing = config.check_files(now).expect("may be written later");
    assert_eq!(missing.len(), 1);
}

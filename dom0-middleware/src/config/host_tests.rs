//! `[[hv]]`: which certificates and keys are good, and what is said of those that are not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::tests::{NOW, parse, refused_at};
use super::{Config, ConfigError, Hosts, HvKeySource};
use crate::card::{MemoryPinLedger, PinLedger};
use crate::channel_key::HvPinPlace;
use crate::error::Causes;

/// Files of an HV, in a folder of their own.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
        path
    }

    /// A key and a certificate for it that is good to the end of `until`.
    fn hv(&self, name: &str, until: i32) {
        let key = KeyPair::generate().expect("P-256");
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(until, 12, 31);
        let certificate = params.self_signed(&key).expect("sound");
        self.write(&format!("{name}.key"), &key.serialize_pem(), 0o600);
        self.write(&format!("{name}.pem"), &certificate.pem(), 0o644);
    }

    fn current(&self, certificate: &str, key: &str) -> Config {
        let (certificate, key) = (self.path(certificate), self.path(key));
        parse(&format!("[[hv]]\ncert = {certificate:?}\nkey = {key:?}\n")).expect("good")
    }

    #[track_caller]
    fn refused(&self, certificate: &str, key: &str) -> String {
        let config = self.current(certificate, key);
        let error = config.hosts(NOW, &ledger()).expect_err("not good");
        let checked = config.check_files(NOW).expect_err("not good either");
        assert_eq!(Causes(&error).to_string(), Causes(&checked).to_string());
        Causes(&error).to_string()
    }
}

fn ledger() -> Arc<dyn PinLedger> {
    Arc::new(MemoryPinLedger::new().expect("randomness"))
}

fn hosts(config: &Config) -> Result<Hosts, ConfigError> {
    Ok(config.hosts(NOW, &ledger())?.expect("there is a [[hv]]"))
}

#[test]
fn one_has_a_key_and_the_others_an_end() {
    let current = "[[hv]]\ncert = \"a.pem\"\nkey = \"a.key\"\n";
    let former = "[[hv]]\ncert = \"b.pem\"\n";
    let config = parse(&format!("{former}{current}")).expect("in any order");
    assert_eq!(config.hv[0].cert, PathBuf::from("a.pem"));
    assert!(
        parse("")
            .expect("none")
            .hosts(NOW, &ledger())
            .expect("none")
            .is_none()
    );
    refused_at(2, "none has a key", former);
    refused_at(
        5,
        "two with a key",
        &format!("{current}{}", current.replace("a.", "b.")),
    );
    refused_at(5, "same certificate twice", &format!("{current}{current}"));
    refused_at(
        3,
        "without a key",
        &format!("{former}passphrase_file = \"p\"\n"),
    );
    let end = "not_after = \"2027-01-01T00:00:00Z\"\n";
    refused_at(4, "only a former", &format!("{current}{end}"));
    let bad = parse(&format!("{former}not_after = \"soon\"\n{current}"));
    let bad = Causes(&bad.expect_err("no time")).to_string();
    assert!(
        bad.contains("2026-11-21T04:07:09Z") && bad.contains("line 3"),
        "{bad}"
    );
}

#[test]
fn key_and_certificate_become_a_channel_key() {
    let files = Files::new();
    files.hv("new", 2030);
    files.hv("old", 2028);
    let config = files.current("new.pem", "new.key");
    assert!(config.check_files(NOW).expect("good").is_empty());
    let hosts = hosts(&config).expect("good");
    assert!(hosts.former.is_empty());
    assert_eq!(hosts.channel_key.hv().id(), hosts.current.id());
    assert!(hosts.channel_key.is_valid(NOW));
}

#[test]
fn tokens_of_a_former_one_are_good_to_the_time_given_or_its_end() {
    let files = Files::new();
    files.hv("new", 2030);
    files.hv("old", 2028);
    let text = |end: &str| {
        let at = |name: &str| files.path(name);
        let (new, key, old) = (at("new.pem"), at("new.key"), at("old.pem"));
        format!("[[hv]]\ncert = {new:?}\nkey = {key:?}\n[[hv]]\ncert = {old:?}\n{end}")
    };
    for (end, until) in [
        ("", "2028-12-31T00:00:01.000Z"),
        (
            "not_after = \"2027-06-01T12:00:00+02:00\"\n",
            "2027-06-01T10:00:00.000Z",
        ),
        (
            "not_after = \"2050-01-01T00:00:00Z\"\n",
            "2028-12-31T00:00:01.000Z",
        ),
    ] {
        let hosts = hosts(&parse(&text(end)).expect("good")).expect("good");
        assert_eq!(hosts.former[0].until.to_string(), until);
    }
}

#[test]
fn what_is_wrong_names_the_file_and_the_next_step() {
    let files = Files::new();
    files.hv("a", 2030);
    files.hv("b", 2030);
    files.hv("ended", 2025);
    let error = files.refused("a.pem", "b.key");
    assert!(
        error.contains("b.key: the HV key does not belong"),
        "{error}"
    );
    let error = files.refused("ended.pem", "ended.key");
    assert!(
        error.contains("ended.key: the HV certificate has ended at 2025"),
        "{error}"
    );
    assert!(error.contains("token-tool keygen"), "{error}");
    let key = fs::read_to_string(files.path("a.key")).expect("there");
    files.write("exposed.key", &key, 0o640);
    let error = files.refused("a.pem", "exposed.key");
    assert!(
        error.contains("exposed.key: ") && error.contains("chmod 600"),
        "{error}"
    );
    files.write("no.pem", "hello", 0o644);
    let error = files.refused("no.pem", "a.key");
    assert!(
        error.contains("no.pem: ") && error.contains("CERTIFICATE"),
        "{error}"
    );
    files.write("no.key", "hello", 0o600);
    let error = files.refused("a.pem", "no.key");
    assert!(error.contains("no.key: not a PKCS#8 key"), "{error}");
}

#[test]
fn missing_files_are_a_note_to_check() {
    let files = Files::new();
    files.hv("a", 2030);
    for (certificate, key) in [("no.pem", "no.key"), ("a.pem", "no.key")] {
        let config = files.current(certificate, key);
        assert!(config.hosts(NOW, &ledger()).is_err());
        let missing = config.check_files(NOW).expect("may come later");
        assert_eq!(missing.len(), 1);
    }
}

const CARD: &str = "[[hv]]\ncert = \"a.pem\"\nkey = \"pcsc:A B 00 00#9c\"\n";

#[test]
fn a_key_may_be_in_a_card_with_its_pin_in_a_file_or_a_credential() {
    let source = |text: &str| {
        let config = parse(text).expect("good");
        config.hv[0].key.clone().expect("a key").source
    };
    let file = HvPinPlace::File("/pin".into());
    let credential = HvPinPlace::Credential("hv-pin".to_owned());
    for (line, place) in [
        ("pin_file = \"/pin\"\n", file),
        ("pin_credential = \"hv-pin\"\n", credential),
    ] {
        let HvKeySource::Card { name, pin, .. } = source(&format!("{CARD}{line}")) else {
            panic!("in a card");
        };
        assert_eq!(name.to_string(), "pcsc:A B 00 00#9c");
        assert_eq!(pin, Some(place));
    }
    // The slot that wants no PIN.
    let HvKeySource::Card { pin, .. } = source(&CARD.replace("#9c", "#9e")) else {
        panic!("in a card");
    };
    assert_eq!(pin, None);
    let of_file = source("[[hv]]\ncert = \"a.pem\"\nkey = \"./pcsc:R#9c\"\n");
    assert!(matches!(of_file, HvKeySource::File { .. }));
}

#[test]
fn what_does_not_fit_a_key_in_a_card_is_named() {
    let pin = "pin_file = \"/pin\"\n";
    refused_at(3, "pin_file or pin_credential", CARD);
    refused_at(3, "no slot", &format!("{}{pin}", CARD.replace("#9c", "")));
    refused_at(3, "9a, 9c", &format!("{}{pin}", CARD.replace("#9c", "#9b")));
    refused_at(4, "has a PIN", &format!("{CARD}passphrase_file = \"/p\"\n"));
    let both = format!("{CARD}{pin}pin_credential = \"p\"\n");
    refused_at(5, "either", &both);
    for bad in ["", "../pin", "/pin"] {
        let text = format!("{CARD}pin_credential = \"{bad}\"\n");
        refused_at(4, "name of a credential", &text);
    }
    let file = CARD.replace("pcsc:A B 00 00#9c", "a.key");
    refused_at(4, "only a key in a card", &format!("{file}{pin}"));
    let source = |reader: &str, seid: &str| {
        format!("[[card_source]]\nkind = \"pcsc\"\nseid = \"{seid}\"\nreader = \"{reader}\"\n")
    };
    let same = source("A B 00 00", "se-00");
    refused_at(3, "a reader of its own", &format!("{CARD}{pin}{same}"));
    let taken = source("C 00 00", "hv-key");
    refused_at(3, "another seid", &format!("{CARD}{pin}{taken}"));
    parse(&format!("{CARD}{pin}{}", source("C 00 00", "se-00"))).expect("another reader");
}

#[test]
fn a_card_is_left_alone_by_a_check_and_its_pin_file_is_looked_at() {
    let files = Files::new();
    files.hv("a", 2030);
    let text = |pin: &PathBuf| {
        let certificate = files.path("a.pem");
        CARD.replace("\"a.pem\"", &format!("{certificate:?}")) + &format!("pin_file = {pin:?}\n")
    };
    let pin = files.path("pin");
    let config = parse(&text(&pin)).expect("good");
    assert_eq!(config.check_files(NOW).expect("may come later").len(), 1);
    let pin = files.write("pin", "123456", 0o644);
    let config = parse(&text(&pin)).expect("good");
    let exposed = Causes(&config.check_files(NOW).expect_err("exposed")).to_string();
    assert!(
        exposed.contains("hv.pin_file") && exposed.contains("chmod 600"),
        "{exposed}"
    );
    let pin = files.write("pin", "123456", 0o600);
    let config = parse(&text(&pin)).expect("good");
    assert!(config.check_files(NOW).expect("good").is_empty());
    let (reader, name) = config.hv_card().expect("in a card");
    assert_eq!(
        (reader.as_str(), name.as_str()),
        ("A B 00 00", "pcsc:A B 00 00#9c")
    );
}

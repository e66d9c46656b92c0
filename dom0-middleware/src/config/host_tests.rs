//! `[[hv]]`: which certificates and keys are good, and what is said of those that are not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::tests::{NOW, parse, refused_at};
use super::{Config, ConfigError, Hosts};
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
        let error = config.hosts(NOW).expect_err("not good");
        let checked = config.check_files(NOW).expect_err("not good either");
        assert_eq!(Causes(&error).to_string(), Causes(&checked).to_string());
        Causes(&error).to_string()
    }
}

fn hosts(config: &Config) -> Result<Hosts, ConfigError> {
    Ok(config.hosts(NOW)?.expect("there is a [[hv]]"))
}

#[test]
fn one_has_a_key_and_the_others_an_end() {
    let current = "[[hv]]\ncert = \"a.pem\"\nkey = \"a.key\"\n";
    let former = "[[hv]]\ncert = \"b.pem\"\n";
    let config = parse(&format!("{former}{current}")).expect("in any order");
    assert_eq!(config.hv[0].cert, PathBuf::from("a.pem"));
    assert!(parse("").expect("none").hosts(NOW).expect("none").is_none());
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
        assert!(config.hosts(NOW).is_err());
        let missing = config.check_files(NOW).expect("may come later");
        assert_eq!(missing.len(), 1);
    }
}

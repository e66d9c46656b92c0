//! The files that a configuration names.

use super::*;

/// A configuration in a directory of its own, with the files it names.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn write(&self, name: &str, content: &str, mode: u32) -> &Self {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
        self
    }

    fn config(&self, more: &str) -> Config {
        let at = |name: &str| format!("{:?}", self.0.path().join(name));
        let pin = format!("{CARD}pin_file = {}\n", at("pin"));
        let binding = BINDING.replace("\"ca.pem\"", &at("ca.pem"));
        parse(&format!("{pin}{DOMAIN}{binding}{more}")).expect("good")
    }
}

fn certificate() -> String {
    let key = rcgen::KeyPair::generate().expect("P-256");
    let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).expect("a name");
    params.self_signed(&key).expect("a certificate").pem()
}

#[test]
fn what_is_there_and_good_is_put_to_use() {
    let files = Files::new();
    files
        .write("ca.pem", &certificate(), 0o644)
        .write("pin", "1234\n", 0o600);
    let config = files.config("");
    config.check_pin_files().expect("for its owner alone");
    let bound = config.bind().expect("good");
    assert_eq!(bound.table.iter().count(), 1);
    assert_eq!(bound.trust.len(), 1);
    assert!(config.check_files(NOW).expect("good").is_empty());
}

#[test]
fn missing_files_are_an_error_to_serve_and_a_note_to_check() {
    let config = Files::new().config("");
    let ConfigError::File { line, key, .. } = config.bind().expect_err("no CA") else {
        panic!("another error");
    };
    assert_eq!((line, key), (18, "binding.trust"));
    assert!(config.check_pin_files().is_err());
    let missing = config.check_files(NOW).expect("may come later");
    assert_eq!(missing.len(), 2);
    assert!(missing[0].to_string().contains("ca.pem: not there yet"));
}

#[test]
fn a_pin_that_others_can_read_is_refused() {
    let files = Files::new();
    files.write("ca.pem", &certificate(), 0o644);
    for mode in [0o640, 0o604, 0o660] {
        files.write("pin", "1234\n", mode);
        let error = files.config("").check_pin_files().expect_err("exposed");
        let ConfigError::File { source, .. } = error else {
            panic!("another error");
        };
        assert!(matches!(source, FileProblem::Exposed { mode: m } if m == mode));
    }
}

#[test]
fn a_trust_file_without_a_certificate_is_refused() {
    let files = Files::new();
    for content in ["", "hello\n", "-----BEGIN CERTIFICATE-----\n!!\n"] {
        files.write("ca.pem", content, 0o644);
        let error = files.config("").bind().expect_err("no certificate");
        let ConfigError::File { source, .. } = error else {
            panic!("another error");
        };
        assert!(
            matches!(source, FileProblem::NoCertificate(_)),
            "{content:?}"
        );
    }
}

#[test]
fn an_identity_has_one_certificate() {
    let files = Files::new();
    let both = format!("{}{}", certificate(), certificate());
    files
        .write("ca.pem", &certificate(), 0o644)
        .write("id.pem", &both, 0o644);
    let cert = format!("cert = {:?}\n", files.0.path().join("id.pem"));
    let error = files.config(&cert).bind().expect_err("which one?");
    assert!(matches!(
        error,
        ConfigError::File {
            source: FileProblem::SeveralCertificates,
            key: "binding.cert",
            ..
        }
    ));
}

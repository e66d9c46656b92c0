//! A PIV card in the service's hands, as the operator sees it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use integration::pki::{self, KeyKind, Pki};
use integration::process::Process;
use integration::{binaries, wait};
use proto::piv::CertificateObject;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

const CONFIG: &str = r#"
[service]
admin_socket = "admin.sock"
audit_file = "audit.jsonl"
state_file = "state.db"
[[card_source]]
kind = "vicc"
seid = "se-00"
socket = "card.sock"
[[card]]
seid = "se-00"
profile = "piv"
pin_file = "pin"
"#;

/// Puts a key and its certificate into a slot of the card in `folder`.
fn fill(pki: &Pki, folder: &Path, slot: &str, key: KeyKind, options: &[&str]) {
    let name = format!("web-{slot}");
    let files = pki.identity(&name, key).write(folder, slot);
    let output = binaries::soft_card()
        .current_dir(folder)
        .args(["personalise", "--dir", "card", "--slot", slot])
        .args(["--pin-file", "pin", "--key"])
        .arg(&files.key)
        .arg("--cert")
        .arg(&files.certificate)
        .args(options)
        .output()
        .expect("it is there");
    assert!(output.status.success(), "{output:?}");
}

fn serve(folder: &Path) -> (Process, Process) {
    (start_service(folder, CONFIG), put_in(folder))
}

fn start_service(folder: &Path, config: &str) -> Process {
    pki::write(folder, "service.toml", config);
    let mut service = binaries::middleware();
    service
        .current_dir(folder)
        .args(["serve", "--config", "service.toml"]);
    Process::start_silent("dom0-middleware", &mut service, folder)
}

/// Puts the card into its reader.
fn put_in(folder: &Path) -> Process {
    let mut card = binaries::soft_card();
    card.current_dir(folder)
        .args(["serve", "--dir", "card", "--connect", "unix:card.sock"]);
    Process::start_silent("soft-card", &mut card, folder)
}

fn card_show(folder: &Path, options: &[&str]) -> Output {
    binaries::middleware()
        .current_dir(folder)
        .args(["card", "show", "se-00", "--admin", "admin.sock"])
        .args(options)
        .output()
        .expect("it is there")
}

/// What `card show --json` says once the card has this state.
fn await_card(folder: &Path, state: &str) -> Value {
    wait::until(&format!("a card that is {state}"), || {
        let output = card_show(folder, &["--json"]);
        let shown: Value = serde_json::from_slice(&output.stdout).ok()?;
        (shown["state"] == state).then_some(shown)
    })
}

/// What `doctor` says of a check, level first.
fn doctor(folder: &Path, check: &str) -> Option<String> {
    let output = binaries::middleware()
        .current_dir(folder)
        .args(["doctor", "--json", "--admin", "admin.sock"])
        .output()
        .expect("it is there");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = found.as_array().expect("a list").iter();
    let mut found = found.filter(|found| found["check"] == check);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found.next().map(|found| {
        [&found["level"], &found["message"], &found["next"]]
            .map(text)
            .join(" ")
    })
}

#[test]
fn card_show_lists_slots_keys_and_dates() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    pki::write_secret(folder, "pin", "123456\n");
    fill(&pki, folder, "9a", KeyKind::Rsa2048, &[]);
    fill(&pki, folder, "9c", KeyKind::P256, &["--gzip"]);
    fill(&pki, folder, "95", KeyKind::P256, &[]);
    let (_service, _card) = serve(folder);

    let shown = await_card(folder, "present");
    assert_eq!(shown["profile"], "piv");
    let certificates = shown["certificates"].as_array().expect("a list");
    let says = |key: &str| -> Vec<&str> {
        let each = certificates.iter().map(|held| &held[key]);
        each.map(|text| text.as_str().expect("text")).collect()
    };
    assert_eq!(says("identity"), ["9a", "9c", "95"].as_slice());
    assert_eq!(says("key"), ["RSA-2048", "P-256", "P-256"]);
    for subject in says("subject") {
        assert!(subject.contains("CN=web-9"), "{subject}");
    }
    let dates = says("not_after");
    assert!(
        dates
            .iter()
            .all(|date| date.ends_with("-01-01T00:00:00.000Z"))
    );

    let table = String::from_utf8(card_show(folder, &[]).stdout).expect("text");
    for word in ["EXPIRES", "RSA-2048", "CN=web-9a", "profile    piv"] {
        assert!(table.contains(word), "{table}");
    }
}

#[test]
fn a_wrong_pin_costs_one_try_of_the_card() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    pki::write_secret(folder, "pin", "123456\n");
    fill(&pki, folder, "9a", KeyKind::P256, &[]);
    pki::write_secret(folder, "pin", "654321\n");
    let (_service, mut card) = serve(folder);
    let shown = await_card(folder, "unusable");
    let why = shown["why"].as_str().expect("a reason");
    assert!(why.contains("not accepted, 2 tries left"), "{why}");
    // Out and in again: the same PIN is not tried a second time.
    card.stop();
    await_card(folder, "absent");
    let _card = put_in(folder);
    let shown = await_card(folder, "unusable");
    let why = shown["why"].as_str().expect("a reason");
    assert!(why.contains("not tried again"), "{why}");
    // The right one is, by itself.
    pki::write_secret(folder, "pin", "123456\n");
    await_card(folder, "present");
}

#[test]
fn card_show_and_doctor_tell_the_tries_that_are_left_and_spend_none() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    pki::write_secret(folder, "pin", "123456\n");
    fill(&pki, folder, "9a", KeyKind::P256, &[]);
    let (_service, _card) = serve(folder);
    let shown = await_card(folder, "present");
    assert_eq!(shown["pin_status"]["state"], "verified", "{shown}");
    let check = "pin of card se-00";
    assert_eq!(doctor(folder, check), None);

    // Two PINs that are wrong, each tried once.
    for (pin, left) in [("111111\n", 2), ("222222\n", 1)] {
        pki::write_secret(folder, "pin", pin);
        let told = binaries::middleware()
            .current_dir(folder)
            .args(["card", "pin", "se-00", "--admin", "admin.sock"])
            .args(["--pin-file", "pin"])
            .output()
            .expect("it is there");
        assert_eq!(told.status.code(), Some(77), "{told:?}");
        for _ in 0..5 {
            let shown = await_card(folder, "unusable");
            assert_eq!(shown["pin_status"]["state"], "tries", "{shown}");
            assert_eq!(shown["pin_status"]["left"], left, "{shown}");
        }
    }
    let table = String::from_utf8(card_show(folder, &[]).stdout).expect("text");
    assert!(
        table.contains("tries      1 left, which is not spent"),
        "{table}"
    );
    let warned = doctor(folder, check).expect("a warning");
    assert!(
        warned.starts_with("warn the card has 1 PIN try left"),
        "{warned}"
    );
    // The right one is not sent either: nobody but its owner spends the last try.
    pki::write_secret(folder, "pin", "123456\n");
    wait::until("the last try is left alone", || {
        let shown: Value = serde_json::from_slice(&card_show(folder, &["--json"]).stdout).ok()?;
        let why = shown["why"].as_str()?;
        assert_eq!(shown["pin_status"]["left"], 1, "{shown}");
        why.contains("at most one PIN try").then_some(())
    });
}

#[test]
fn a_pin_of_other_characters_is_taken_where_the_profile_says_so() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    pki::write_secret(folder, "pin", "pass-w0r\n");
    fill(&pki, folder, "9a", KeyKind::P256, &[]);
    let (mut service, _card) = serve(folder);
    let shown = await_card(folder, "unusable");
    let why = shown["why"].as_str().expect("a reason");
    for word in [
        "6 to 8 digits",
        "pin_characters = \"printable\"",
        "[[profile]]",
    ] {
        assert!(why.contains(word), "{word}: {why}");
    }
    assert_eq!(shown["pin_status"]["left"], 3, "{shown}");
    assert!(service.stop().success());

    let config = CONFIG.replace("profile = \"piv\"", "profile = \"our-token\"");
    let profile = "[[profile]]\nname = \"our-token\"\nbase = \"piv\"\n\
                   pin_characters = \"printable\"\n";
    let _service = start_service(folder, &format!("{config}{profile}"));
    let shown = await_card(folder, "present");
    assert_eq!(shown["profile"], "our-token");
    assert_eq!(shown["pin_status"]["state"], "verified");
}

#[test]
fn a_card_that_was_never_seen_is_expected_to_take_the_time_of_its_kind() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    pki::write_secret(folder, "pin", "123456\n");
    let eap_tls = CONFIG.replace("profile = \"piv\"", "profile = \"eap-tls\"");
    for (config, full, resumed) in [
        (CONFIG, Value::Null, Value::Null),
        (eap_tls.as_str(), 2_000.into(), 500.into()),
    ] {
        let mut service = start_service(folder, config);
        let shown = await_card(folder, "absent");
        assert_eq!(shown["full"]["expected_ms"], full, "{shown}");
        assert_eq!(shown["resumed"]["expected_ms"], resumed, "{shown}");
        assert_eq!(shown["pin_status"], Value::Null);
        assert!(service.stop().success());
    }
}

/// A certificate of version 1 for the key in `KEY.key.pem`, as `openssl x509 -req` makes it when it is
/// told of no extension.
fn certify_in_version_1(folder: &Path, key: &Path) -> PathBuf {
    let run = |arguments: &[&str]| {
        let mut openssl = Command::new("openssl");
        let output = openssl.args(arguments).current_dir(folder).output();
        let output = output.expect("openssl is there");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let key = key.to_str().expect("a plain path");
    run(&[
        "req", "-new", "-key", key, "-subj", "/CN=old", "-out", "old.csr",
    ]);
    run(&[
        "x509", "-req", "-in", "old.csr", "-signkey", key, "-days", "9", "-out", "old.pem",
    ]);
    let text = run(&["x509", "-in", "old.pem", "-noout", "-text"]);
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains("Version: 1 (0x0)"), "{text}");
    folder.join("old.pem")
}

#[test]
fn a_certificate_of_version_1_is_refused_with_its_place_and_the_next_step() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    pki::write_secret(folder, "pin", "123456\n");
    pki::write(folder, "ca.pem", &pki.ca.pem());
    let files = pki.identity("web01", KeyKind::P256).write(folder, "9a");
    let old = certify_in_version_1(folder, &files.key);
    let words = ["X.509 version 1", "version 3 alone", "openssl x509 -req"];
    let eap_tls = ["--name", "web01", "--ca", "ca.pem"];
    for (kind, options) in [("web01", &eap_tls[..]), ("9a", &["--slot", "9a"])] {
        let output = binaries::soft_card()
            .current_dir(folder)
            .args(["personalise", "--dir", kind, "--pin-file", "pin", "--key"])
            .arg(&files.key)
            .arg("--cert")
            .arg(&old)
            .args(options)
            .output()
            .expect("it is there");
        assert_eq!(output.status.code(), Some(78), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        for word in words.iter().chain(&["old.pem", kind]) {
            assert!(said.contains(word), "{word}: {said}");
        }
    }

    // Other programs write it on a card all the same.
    fill(&pki, folder, "9a", KeyKind::P256, &[]);
    let pem = std::fs::read(&old).expect("just made");
    let der = CertificateDer::from_pem_slice(&pem).expect("a certificate");
    let object = CertificateObject {
        der: der.to_vec(),
        compressed: false,
    };
    let place = folder.join("card/objects/5fc105");
    assert!(
        place.exists(),
        "where the card keeps the certificate of slot 9a"
    );
    std::fs::write(place, object.encode()).expect("writable");
    let (service, _card) = serve(folder);
    let shown = await_card(folder, "unusable");
    let why = shown["why"].as_str().expect("a reason");
    for word in words.iter().chain(&["slot 9a"]) {
        assert!(why.contains(word), "{word}: {why}");
    }
    let next = shown["next"].as_str().expect("what to do");
    assert!(next.contains("another certificate into slot 9a"), "{next}");
    let adopted = binaries::middleware()
        .current_dir(folder)
        .args(["card", "adopt", "se-00", "--admin", "admin.sock"])
        .output()
        .expect("it is there");
    assert_eq!(adopted.status.code(), Some(77), "{adopted:?}");
    let said = String::from_utf8_lossy(&adopted.stderr).into_owned();
    for word in words.iter().chain(&["se-00", "slot 9a"]) {
        assert!(said.contains(word), "{word}: {said}");
    }
    let log = service.log();
    assert!(
        log.contains("se-00") && log.contains("X.509 version 1"),
        "{log}"
    );
}

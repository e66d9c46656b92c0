//! A PIV card in the service's hands, as the operator sees it.

use std::path::Path;
use std::process::Output;

use integration::pki::{self, KeyKind, Pki};
use integration::process::Process;
use integration::{binaries, wait};
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
    pki::write(folder, "service.toml", CONFIG);
    let mut service = binaries::middleware();
    service
        .current_dir(folder)
        .args(["serve", "--config", "service.toml"]);
    let service = Process::start_silent("dom0-middleware", &mut service, folder);
    let mut card = binaries::soft_card();
    card.current_dir(folder)
        .args(["serve", "--dir", "card", "--connect", "unix:card.sock"]);
    (
        service,
        Process::start_silent("soft-card", &mut card, folder),
    )
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
    let mut again = binaries::soft_card();
    again
        .current_dir(folder)
        .args(["serve", "--dir", "card", "--connect", "unix:card.sock"]);
    let _card = Process::start_silent("soft-card", &mut again, folder);
    let shown = await_card(folder, "unusable");
    let why = shown["why"].as_str().expect("a reason");
    assert!(why.contains("not tried again"), "{why}");
    // The right one is, by itself.
    pki::write_secret(folder, "pin", "123456\n");
    await_card(folder, "present");
}

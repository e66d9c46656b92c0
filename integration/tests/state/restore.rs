//! An older state put back: what was taken away since stays away, what was given since is told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use integration::chain::Chain;
use integration::pki::Pki;
use serde_json::Value;

use super::{await_service, bind, bound, json, plan, run, uuids};

/// As an operator restores a backup: stop, copy, start.
fn restore(chain: &mut Chain, backup: &str) {
    assert!(chain.middleware().stop().success());
    let state = chain.folder().join("state.db");
    fs::copy(backup, &state).expect("copied");
    chain.restart_after_kill();
    await_service(chain);
}

fn notes(chain: &Chain) -> String {
    let status = json(chain, &["status"]);
    let notes = status["notes"].as_array().cloned().unwrap_or_default();
    let notes: Vec<&str> = notes.iter().filter_map(Value::as_str).collect();
    notes.join("\n")
}

fn at(chain: &Chain, name: &str) -> PathBuf {
    chain.folder().join(name)
}

#[test]
fn what_was_taken_away_since_the_backup_stays_away() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan());
    chain.wait_card("present");
    let [a, b] = uuids();
    let (before, after) = ("01".repeat(16), "02".repeat(16));
    bind(&chain, "web-a", 0);
    run(&chain, &["token", "revoke", &before], 0);

    let backup = at(&chain, "backup.db");
    let backup = backup.to_str().expect("UTF-8").to_owned();
    run(&chain, &["state", "backup", &backup], 0);
    let mode = fs::metadata(&backup).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = run(&chain, &["state", "backup", &backup], 77);
    assert!(said.contains("not overwritten"), "{said}");
    let said = run(&chain, &["state", "backup", "/no/such/folder/b.db"], 69);
    assert!(said.contains("/no/such/folder/b.db"), "{said}");

    run(&chain, &["vm", "unbind", "web-a"], 0);
    run(&chain, &["token", "revoke", &after], 0);
    run(&chain, &["token", "revoke", "--vm", "web-a"], 0);
    bind(&chain, "web-b", 0);
    assert_eq!(bound(&chain), [b.as_str()]);
    let from = json(&chain, &["vm", "show", "web-a"])["tokens_from"].clone();
    assert_eq!(notes(&chain), "");

    restore(&mut chain, &backup);
    assert!(bound(&chain).is_empty(), "{:?}", bound(&chain));
    let tokens = json(&chain, &["token", "list"]);
    let revoked: Vec<_> = tokens
        .as_array()
        .expect("a list")
        .iter()
        .map(|t| &t["cti"])
        .collect();
    assert_eq!(revoked, [&before, &after]);
    assert_eq!(json(&chain, &["vm", "show", "web-a"])["tokens_from"], from);
    let told = notes(&chain);
    assert!(told.contains("the state was behind the audit"), "{told}");
    assert!(
        told.contains(&format!("removal of the bindings of {a}")),
        "{told}"
    );
    assert!(
        told.contains(&format!("binding of {b} to web-b of card se-00")),
        "{told}"
    );
    let said = run(&chain, &["status"], 0);
    assert!(said.contains("NOTE "), "{said}");
    let recorded = chain.audited("state-behind-audit");
    assert_eq!(recorded.len(), 1);
    assert_eq!(
        recorded[0]["missing"].as_array().map(Vec::len),
        Some(1),
        "{recorded:?}"
    );

    // It is told once, and the numbers go on where the audit was.
    chain.restart_middleware();
    await_service(&mut chain);
    assert_eq!(notes(&chain), "");
    bind(&chain, "web-b", 0);
    let numbers: Vec<u64> = chain
        .audit()
        .iter()
        .filter_map(|record| record["change"].as_u64())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[test]
fn a_state_that_is_gone_is_made_anew_and_what_was_revoked_stays_revoked() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan());
    chain.wait_card("present");
    bind(&chain, "web-a", 0);
    let cti = "03".repeat(16);
    run(&chain, &["token", "revoke", &cti], 0);
    assert!(chain.middleware().stop().success());
    fs::remove_file(at(&chain, "state.db")).expect("there");
    chain.restart_after_kill();
    await_service(&mut chain);
    assert_eq!(json(&chain, &["token", "list"])[0]["cti"], cti.as_str());
    let told = notes(&chain);
    assert!(
        told.contains("binding of") && told.contains("adoption of"),
        "{told}"
    );
}

#[test]
fn an_audit_that_was_cut_or_replaced_is_noticed() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan());
    chain.wait_card("present");
    bind(&chain, "web-a", 0);
    assert!(chain.middleware().stop().success());
    let audit = fs::read_to_string(chain.audit_file()).expect("there");
    let lines: Vec<&str> = audit.split_inclusive('\n').collect();
    let cut = lines[..lines.len() - 2].concat();
    fs::write(chain.audit_file(), cut).expect("written");
    chain.restart_after_kill();
    await_service(&mut chain);
    assert!(
        notes(&chain).contains("the audit was cut"),
        "{}",
        notes(&chain)
    );
    assert_eq!(chain.audited("audit-behind-state").len(), 1);

    assert!(chain.middleware().stop().success());
    fs::remove_file(chain.audit_file()).expect("there");
    chain.restart_after_kill();
    await_service(&mut chain);
    assert!(
        notes(&chain).contains("the audit is empty"),
        "{}",
        notes(&chain)
    );
    // From here on it is known again.
    chain.restart_middleware();
    await_service(&mut chain);
    assert_eq!(notes(&chain), "");
}

#[test]
fn a_state_that_cannot_be_used_is_named_with_what_to_do() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan());
    await_service(&mut chain);
    let state = at(&chain, "state.db");
    let name = state.to_str().expect("UTF-8").to_owned();
    assert!(chain.middleware().stop().success());
    let good = fs::read(&state).expect("there");
    let mut damaged = good.clone();
    damaged.iter_mut().skip(100).for_each(|byte| *byte = 0xA5);
    for (content, next) in [
        (&b"PIN 1234"[..], "is not a state file"),
        (&damaged, "put a backup in its place"),
    ] {
        fs::write(&state, content).expect("written");
        chain.restart_after_kill();
        assert_eq!(chain.middleware().await_end().code(), Some(78));
        let said = chain.middleware().log();
        assert!(said.contains(&name) && said.contains(next), "{said}");
        assert_eq!(fs::read(&state).expect("there"), content, "left as it was");
    }
    fs::write(&state, good).expect("written");
    chain.restart_after_kill();
    await_service(&mut chain);
}

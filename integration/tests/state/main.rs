//! What operators change with commands: bindings, tokens; over restarts, kills and restored backups.

mod kill;
mod restore;
mod seen;
mod verbs;

use std::process::Output;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::pki::KeyKind;
use integration::wait;
use integration::xenstored::uuid;
use serde_json::Value;

/// A host with the card `se-00`, which holds `web-a` and `web-b`, and two guests of these names that
/// are bound to nothing, and in which no agent runs.
fn plan() -> ChainPlan {
    let card = CardPlan::new("se-00")
        .identity("web-a", KeyKind::P256)
        .identity("web-b", KeyKind::P256);
    ChainPlan::new()
        .card(card)
        .guest(GuestPlan::new("web-a").without_agent())
        .guest(GuestPlan::new("web-b").without_agent())
}

/// Runs a command, which must end with this exit code; what it says.
fn run(chain: &Chain, arguments: &[&str], code: i32) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = chain.admin(arguments);
    let said = String::from_utf8_lossy(if code == 0 { &stdout } else { &stderr }).into_owned();
    assert_eq!(
        status.code(),
        Some(code),
        "{arguments:?}: {said}{}",
        String::from_utf8_lossy(&stderr)
    );
    said
}

/// Runs a command with `--json`.
fn json(chain: &Chain, arguments: &[&str]) -> Value {
    let said = run(chain, &[arguments, &["--json"]].concat(), 0);
    serde_json::from_str(&said).expect("JSON")
}

/// Binds a guest to the identity of its name, sharing the card.
fn bind(chain: &Chain, guest: &str, code: i32) -> String {
    let trust = chain.folder().join("ca.pem");
    let trust = trust.to_str().expect("UTF-8");
    let arguments = [
        "vm",
        "bind",
        guest,
        "--card",
        "se-00",
        "--identity",
        guest,
        "--trust",
        trust,
        "--shared",
    ];
    run(chain, &arguments, code)
}

/// The UUIDs that are bound, in the order in which that was done.
fn bound(chain: &Chain) -> Vec<String> {
    let bindings = json(chain, &["vm", "list"]);
    let bindings = bindings.as_array().expect("a list");
    let uuid = |binding: &Value| binding["domain"].as_str().expect("a UUID").to_owned();
    bindings.iter().map(uuid).collect()
}

/// Waits until the service answers.
fn await_service(chain: &mut Chain) {
    wait::until("the service answers", || {
        chain.middleware().expect_running();
        chain.admin(&["status"]).status.success().then_some(())
    });
}

/// The UUIDs of the two guests.
fn uuids() -> [String; 2] {
    [uuid(1), uuid(2)]
}

//! Somebody on the host with the cards has the card.

use integration::chain::{Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::KeyKind;
use integration::wait;
use serde_json::Value;

use super::{Grid, NAME, eap_card, shown};

/// Waits until `card show` says that another session has the card, and what to do; `doctor` says the same.
fn wait_told(grid: &Grid, chain: &Chain) {
    let host = grid.host();
    let words = ["se-00", &host, "-708", "wait until it is let go"];
    wait::until("card show says who is in the way", || {
        let shown = shown(chain);
        let why = shown["why"].as_str()?;
        words.iter().all(|word| why.contains(word)).then_some(())
    });
    let output = chain.admin(&["doctor", "--json"]);
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let is_told = |found: &Value| {
        let message = found["message"].as_str().unwrap_or_default();
        found["level"] == "fail" && words.iter().all(|word| message.contains(word))
    };
    assert!(found.iter().any(is_told), "{found:#?}");
}

fn converse(grid: &Grid, chain: &Chain) {
    let credential = grid.pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&grid.pki, &ServerPlan::new(&credential));
    chain.wait_card("present");
    chain.guest("far").converse(&server, NAME);
}

#[test]
fn a_card_that_another_user_holds_is_told_and_had_when_it_is_let_go() {
    let grid = Grid::start(eap_card());
    let far = GuestPlan::new("far").without_agent();
    let mut other = grid.other();
    assert_eq!(other.code("POWERON se-00"), "+008 001");
    let chain = grid.guests(eap_card(), "far", "published", far);
    wait_told(&grid, &chain);
    assert_eq!(other.code("SHUTDOWN se-00"), "+007 001");
    chain.wait_card("present");
    assert_eq!(other.code("POWERON se-00"), "-708 001", "it is host A's");
}

#[test]
fn a_card_of_a_guest_there_is_had_in_maintenance_only() {
    let card = eap_card().raw_key_use();
    let owner = GuestPlan::new("owner").without_agent();
    let plan = ChainPlan::new()
        .card(card)
        .guest(owner.bound("se-00", "far"));
    let grid = Grid::start_with(plan);
    let maintenance = |set: &str| {
        let output = grid.chain.admin(&["card", "maintenance", "se-00", set]);
        assert!(output.status.success(), "{output:?}");
    };
    maintenance("on");
    let chain = grid.guests(eap_card(), "far", "published", GuestPlan::new("far"));
    converse(&grid, &chain);
    maintenance("off");
    // Its next use notices; else the next keepalive would.
    let server = grid.pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&grid.pki, &ServerPlan::new(&server));
    let refused = chain.guest("far").connect(server.port(), NAME);
    assert_eq!(refused.expect_err("it was taken").code, "card-removed");
    wait_told(&grid, &chain);
    maintenance("on");
    converse(&grid, &chain);
}

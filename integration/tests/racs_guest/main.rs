//! Guests that send APDUs to their own cards: the real service, the real agent, soft cards.

mod door;
mod ends;
mod own_card;
mod turns;
mod verbs;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use proto::apdu::{Aid, CommandApdu};
use proto::card::EapCardCommand;
use proto::hex;
use serde_json::Value;

const NAME: &str = "www.example";
const OK: &str = "9000";
/// SELECT by AID, and what the card needs nobody for: the list of identities.
const LIST: &str = "FFFFFF00 00A40400   # SELECT\n";
/// All that is not forbidden anyway.
const EVERYTHING: &str = "00000000 00000000\n";

/// A guest `web01` that may send these APDUs to its card `se-00`, and `web02` with the card `se-01`,
/// likewise.
fn plan(list: &str) -> ChainPlan {
    let card = |seid: &str, name: &str| CardPlan::new(seid).identity(name, KeyKind::P256);
    let guest = |seid: &str, name: &str| GuestPlan::new(name).bound(seid, name).raw_apdu(list);
    ChainPlan::new()
        .card(card("se-00", "web01"))
        .card(card("se-01", "web02"))
        .guest(guest("se-00", "web01"))
        .guest(guest("se-01", "web02"))
}

fn server(pki: &Pki) -> OpensslServer {
    let credential = pki.server(NAME, KeyKind::P256);
    OpensslServer::start(pki, &ServerPlan::new(&credential))
}

fn select() -> String {
    let select = CommandApdu::new(0x00, 0xA4, 0x04, 0x00).with_data(Aid::EAP_TLS.as_bytes());
    hex::encode(&select.expect("short").encode())
}

fn of(command: &EapCardCommand) -> String {
    hex::encode(&command.to_apdu(0xA0).expect("short").encode())
}

/// Runs an operator's command, which must end with this exit code; what it says.
#[track_caller]
fn run(chain: &Chain, arguments: &[&str], code: i32) -> String {
    let output = chain.admin(arguments);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

fn json(chain: &Chain, arguments: &[&str]) -> Value {
    let said = run(chain, &[arguments, &["--json"]].concat(), 0);
    serde_json::from_str(&said).expect("JSON")
}

/// Who has a card for raw APDUs.
fn holder(chain: &Chain, seid: &str) -> Option<String> {
    let cards = json(chain, &["card", "list"]);
    let mut cards = cards.as_array().expect("a list").iter();
    let card = cards.find(|card| card["seid"] == seid).expect("known");
    card["held_by"]["holder"].as_str().map(str::to_owned)
}

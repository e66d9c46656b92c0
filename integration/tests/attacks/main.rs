//! A guest that wants what is not its own, beside two that go about their business.
//!
//! Who it is against and what stops it: `docs/threat-model.md`. Attacks on the channel's TLS are in
//! `channel.rs`, on the bytes of a token in `proto`, on who has a domid in `xenstore`.
//!
//! | Module | Attack |
//! |---|---|
//! | `tokens` | a token that is another's, another host's, over, revoked, or no token |
//! | `rights` | keys and connections after the right to them has ended |
//! | `shared_card` | what the other domain on the same card has, and its time |
//! | `swapped` | another card in the reader |

mod rights;
mod shared_card;
mod swapped;
mod tokens;

use integration::chain::Chain;
use integration::channel_client::GuestDoor;
use integration::rogue_guest::{Answer, RogueGuest};
use integration::world::{self, NAME};
use proto::agent::RefusalCode;
use serde_json::Value;

/// The domid of the guest `rogue`.
const ROGUE: u16 = 1;

/// What a command of the administrator prints with `--json`.
fn admin(chain: &Chain, arguments: &[&str]) -> Value {
    let output = chain.admin(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The full reason of the last no to a domain, which only the administrator sees.
fn last_reason(chain: &Chain, domid: u16) -> String {
    let status = admin(chain, &["status"]);
    let refusals = status["refusals"].as_array().expect("a list");
    let of_domain = |refusal: &&Value| refusal["domid"] == domid;
    let refusal = refusals.iter().find(of_domain).expect("it was refused");
    refusal["reason"].as_str().expect("a text").to_owned()
}

/// Shows what a door has and expects to be sent away with this code, for a reason with these words,
/// of which the guest learns none.
fn expect_sent_away(chain: &Chain, door: &GuestDoor, what: &str, code: RefusalCode, reason: &str) {
    let mut rogue = RogueGuest::connect(door);
    rogue.say_hello();
    match rogue.answer() {
        Answer::Connection(got, line) => {
            assert_eq!(got, code, "{what}: {line}");
            // What the code says it may learn.
            if code != RefusalCode::TokenRevoked {
                assert!(!line.contains(reason), "{what}: the guest learns {line}");
            }
        }
        other => panic!("{what}: {other:?}"),
    }
    assert_eq!(rogue.answer(), Answer::End, "{what}");
    let full = last_reason(chain, ROGUE);
    assert!(full.contains(reason), "{what}: {full}");
}

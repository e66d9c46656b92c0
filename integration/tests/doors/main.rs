//! Every door of the agent, over the whole chain.

mod allow;
mod cancellation;
mod examples;
mod half_close;
mod modes;
mod own_records;
mod parallel;
mod revoked;
mod silence;
mod wiped;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::pki::{KeyKind, Pki};

const NAME: &str = "www.example";

/// All modes are allowed.
const ALLOW_ALL: &str = "[[allow]]\nmodes = [\"stream\", \"socket\", \"keys\"]\n";

/// A chain of one card and the guest `web01`, with more in its agent's configuration.
fn chain(pki: &Pki, agent_config: &str) -> Chain {
    let card = CardPlan::new("se-00").identity("web01", KeyKind::P256);
    let guest = GuestPlan::new("web01").bound("se-00", "web01");
    let plan = ChainPlan::new()
        .card(card)
        .guest(guest.agent_config(agent_config));
    Chain::start(pki, &plan)
}

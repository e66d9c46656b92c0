//! Cards of another host: two real services, one with the cards, one with the guests, TLS between.

mod held;
mod lost;
mod sessions;
mod verbs;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::pki::{KeyKind, Pki};
use integration::ports;
use integration::racs_user::{ALL, RacsDesk, RacsUser, SERVER_NAME, user_of};
use integration::wait;
use serde_json::Value;

/// The user that the host with the guests is.
const HOST_A: &str = "host-a";
/// The name of every TLS server.
const NAME: &str = "www.example";

/// The host with the cards.
struct Grid {
    pki: Pki,
    desk: RacsDesk,
    chain: Chain,
    port: u16,
}

impl Grid {
    /// A host with one card, with which two users may do everything.
    fn start(card: CardPlan) -> Self {
        Self::start_with(ChainPlan::new().card(card))
    }

    /// The same from a plan whose card is `se-00`.
    fn start_with(plan: ChainPlan) -> Self {
        let pki = Pki::new();
        let desk = RacsDesk::new(&pki);
        let port = ports::two_free();
        let users = [HOST_A, "other"].map(|name| user_of(name, &[("se-00", ALL)]));
        let users = [users[0].as_str(), users[1].as_str()];
        let plan = plan.more_config(&desk.config_at(port, "", &users));
        let chain = Chain::start(&pki, &plan);
        let grid = Self {
            pki,
            desk,
            chain,
            port,
        };
        grid.wait_listed();
        grid
    }

    /// Waits until the card is in the list that users get.
    fn wait_listed(&self) {
        let mut other = self.other();
        wait::until("the card is there", || {
            (other.say("LIST") == "+004 001 se-00").then_some(())
        });
    }

    /// Somebody else who may have the card.
    fn other(&self) -> RacsUser {
        self.desk.user(&self.chain, "other")
    }

    /// Where it listens.
    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What the configuration of another host says of the card here.
    fn source(&self, rules: &str) -> String {
        let (ca, own) = self.desk.files_of(HOST_A);
        format!(
            "kind = \"racs\"\nhost = \"{}\"\nserver_name = \"{SERVER_NAME}\"\ncertificate = {:?}\n\
             key = {:?}\nca = {ca:?}\nrules = \"{rules}\"\ntrusted_with_keys = true",
            self.host(),
            own.certificate,
            own.key,
        )
    }

    /// The host with the guests: `far` with the card here, `near` with one in a reader there.
    fn guests(&self, card: CardPlan, identity: &str, rules: &str, far: GuestPlan) -> Chain {
        let card = card.elsewhere(self.chain.folder(), &self.source(rules));
        let plan = ChainPlan::new()
            .card(card)
            .card(CardPlan::new("se-01").identity("near", KeyKind::P256))
            .guest(far.bound("se-00", identity))
            .guest(GuestPlan::new("near").bound("se-01", "near"));
        Chain::start(&self.pki, &plan)
    }
}

/// An EAP-TLS card with the identity `far`.
fn eap_card() -> CardPlan {
    CardPlan::new("se-00").identity("far", KeyKind::P256)
}

/// What `card show` says of the card of the other host.
fn shown(chain: &Chain) -> Value {
    let output = chain.admin(&["card", "show", "se-00", "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

//! Cards for users over the network: the real service, soft cards, real TLS.

mod access;
mod guests;
mod lines;
mod locks;
mod many;
mod openssl;

use integration::chain::{CardPlan, Chain, ChainPlan};
use integration::pki::{KeyKind, Pki};
use integration::racs_user::{ALL, RacsDesk, RacsUser, user_of};
use proto::apdu::{Aid, CommandApdu};
use proto::card::EapCardCommand;
use proto::hex;

/// A host with cards that nobody is bound to, and users who may do everything with all of them.
struct Grid {
    desk: RacsDesk,
    chain: Chain,
}

impl Grid {
    /// Cards with these names, more keys of `[racs]`, users by name.
    fn start(cards: &[&str], keys: &str, users: &[&str]) -> Self {
        let pki = Pki::new();
        let desk = RacsDesk::new(&pki);
        let rights: Vec<(&str, &str)> = cards.iter().map(|seid| (*seid, ALL)).collect();
        let tables: Vec<String> = users.iter().map(|name| user_of(name, &rights)).collect();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let mut plan = ChainPlan::new().more_config(&desk.config(keys, &tables));
        for seid in cards {
            plan = plan.card(CardPlan::new(seid).identity("nobody", KeyKind::P256));
        }
        let chain = Chain::start(&pki, &plan);
        let grid = Self { desk, chain };
        if let Some(user) = users.first() {
            wait_for_all(&mut grid.user(user), cards);
        }
        grid
    }

    fn user(&self, name: &str) -> RacsUser {
        self.desk.user(&self.chain, name)
    }
}

/// Waits until a user sees all these cards.
fn wait_for_all(user: &mut RacsUser, cards: &[&str]) {
    let all = format!("+004 001 {}", cards.join(" "));
    integration::wait::until("all cards are there", || {
        (user.say("LIST") == all).then_some(())
    });
}

fn of(command: &EapCardCommand) -> String {
    hex::encode(&command.to_apdu(0xA0).expect("short").encode())
}

fn select() -> String {
    let select = CommandApdu::new(0x00, 0xA4, 0x04, 0x00).with_data(Aid::EAP_TLS.as_bytes());
    hex::encode(&select.expect("short").encode())
}

/// VERIFY with the PIN of all EAP-TLS cards here.
const VERIFY: &str = "A02000000431323334";
const OK: &str = "9000";

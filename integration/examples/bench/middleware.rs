//! What the service takes of dom0: memory and descriptors, for domains that are connected and do
//! nothing.

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::descriptors;
use integration::footprint::{Footprint, MIB};
use integration::pki::{KeyKind, Pki};
use integration::rogue_guest::RogueGuest;

use crate::figures::{Figures, Unit};

/// Connected domains at which it is looked at, in rising order.
const DOMAINS: [usize; 3] = [1, 100, 1_000];
/// Both ends of each connection, and some more.
const DESCRIPTORS: u64 = 8_000;
/// The most that an idle domain should take, in KiB.
const TARGET: f64 = 64.0;

/// Measures a service with ever more domains connected, each admitted and silent.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    if !descriptors::provide(DESCRIPTORS) {
        return;
    }
    let [one, .., most] = DOMAINS;
    let mut plan = ChainPlan::new().card(CardPlan::new("se-00").identity("id-0", KeyKind::P256));
    for number in 0..most {
        let guest = GuestPlan::new(&name(number)).bound("se-00", &format!("id-{number}"));
        plan = plan.guest(guest.without_agent());
    }
    let mut chain = Chain::start(pki, &plan);
    let process = chain.middleware().id();
    let mut connections = Vec::new();
    let mut first = None;
    for count in DOMAINS {
        while connections.len() < count {
            let guest = RogueGuest::admitted(&chain.door(&name(connections.len())));
            connections.push(guest);
        }
        let now = Footprint::of(process);
        let first = *first.get_or_insert(now);
        let text = |what: &str| format!("service: {what}, {count} domains");
        figures.add(&text("memory"), now.resident / MIB, Unit::Mebibytes);
        figures.add(&text("descriptors"), now.descriptors as f64, Unit::Count);
        if count == most {
            let each = (now.resident - first.resident) / (most - one) as f64 / 1_024.0;
            figures.add_below(
                "service: memory for each idle domain",
                each,
                Unit::Kibibytes,
                TARGET,
            );
        }
    }
}

fn name(number: usize) -> String {
    format!("guest-{number}")
}

//! What a new channel costs: from the socket to dom0's `welcome`, with TLS and token and without.

use std::sync::Arc;
use std::time::{Duration, Instant};

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::channel_client::{GuestDoor, config};
use integration::pki::{KeyKind, Pki};
use integration::rogue_guest::RogueGuest;
use rustls::ClientConfig;

use crate::figures::{Figures, Times, Unit};

/// Channels of each kind.
const MANY: usize = 500;
/// Channels of each kind before it counts.
const FIRST: usize = 20;
/// Longest median with TLS, in milliseconds: a guest connects once in a while.
const TARGET: f64 = 10.0;

/// Measures both kinds in turn, so that what else the machine does meets both alike.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    let card = CardPlan::new("se-00");
    let card = card.identity("secure", KeyKind::P256);
    let card = card.identity("insecure", KeyKind::P256);
    let guest = |name| GuestPlan::new(name).bound("se-00", name).without_agent();
    let plan = ChainPlan::new()
        .card(card)
        .guest(guest("secure"))
        .guest(guest("insecure").insecure())
        // Each new connection keeps its place for a while.
        .limit("connections_per_domain", 2 * (FIRST + MANY) as u64);
    let chain = Chain::start(pki, &plan);
    let (secure, insecure) = (chain.door("secure"), chain.door("insecure"));
    let key_file = secure.key_file.as_ref().expect("a channel with TLS");
    let tls = Arc::new(config(key_file));
    let (mut with, mut without) = (Times::default(), Times::default());
    for number in 0..FIRST + MANY {
        let (one, other) = (connect(&secure, Some(&tls)), connect(&insecure, None));
        if number >= FIRST {
            with.add(one);
            without.add(other);
        }
    }
    for (kind, times, target) in [
        ("TLS and token", &with, Some(TARGET)),
        ("neither TLS nor token", &without, None),
    ] {
        let name = |what: &str| format!("channel, {kind}: connect to welcome, {what}");
        match target {
            Some(target) => {
                figures.add_below(&name("median"), times.median(), Unit::Millis, target);
            }
            None => figures.add(&name("median"), times.median(), Unit::Millis),
        }
        figures.add(&name("p99"), times.p99(), Unit::Millis);
    }
}

/// The time from the socket to `welcome`. Reading the key is not in it.
fn connect(door: &GuestDoor, tls: Option<&Arc<ClientConfig>>) -> Duration {
    let started = Instant::now();
    let stream = match tls {
        Some(tls) => door.connect_with(Arc::clone(tls)),
        None => door.connect(),
    };
    let mut guest = RogueGuest::over(stream, door);
    guest.expect_welcome();
    started.elapsed()
}

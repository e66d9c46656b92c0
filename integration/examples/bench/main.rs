//! How long a handshake takes: over the whole chain at both doors, on the card alone, with a key in a
//! file, and with one behind PKCS#11. What an agent takes of a guest's memory and disk, and the
//! service of dom0's.
//!
//! Prints a table, writes `target/bench.json`, and `docs/benchmarks.md` with its pictures. Every time is
//! a median; client, server and all between are on one machine. Build the programs with `--release`
//! first and run this with `--release`:
//!
//! ```sh
//! cargo run --release -p integration --example bench
//! ```
//!
//! With the name of a part (`handshakes`, `doors`, `apdu`, `throughput`, `fairness`, `scaling`,
//! `agent`, `service`, `vchan`, `tokens`, `channel`, `admission`, `racs`) it measures that alone and writes no
//! file; for `racs` it prints that part of the page. After `doors` may stand a part of the name of a case:
//! `doors "1 domain, full tls 1.2"`.

mod admission;
mod agent;
mod apdu;
mod chain;
mod channel;
mod door;
mod doors;
mod fairness;
mod figures;
mod middleware;
mod page;
mod plots;
mod racs;
mod scaling;
mod software;
mod throughput;
mod tokens;
mod vchans;

use std::error::Error;
use std::path::Path;

use integration::openssl::{OpensslServer, ServerPlan};
use integration::pcscd::Pcscd;
use integration::pki::{KeyKind, Pki};

use rustls::version::TLS13;

use crate::chain::{CardSpeed, Share};
use crate::figures::{Figures, Unit};

const NAME: &str = "www.example";
/// Where the page of the results belongs.
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
type Measure = fn(&Pki, &mut Figures);
/// What can be measured alone, by its name on the command line, in the order of the whole.
const PARTS: [(&str, Measure); 13] = [
    ("handshakes", handshakes),
    ("doors", doors::measure),
    ("apdu", apdu::measure),
    ("throughput", throughput::measure),
    ("fairness", fairness::measure),
    ("scaling", scaling::measure),
    ("agent", agent::measure),
    ("service", middleware::measure),
    ("vchan", vchans::measure),
    ("tokens", tokens::measure),
    ("channel", channel::measure),
    ("admission", admission::measure),
    ("racs", racs::measure),
];
const KEYS: [(KeyKind, &str); 2] = [(KeyKind::Rsa2048, "rsa-2048"), (KeyKind::P256, "p-256")];
/// Handshakes of each kind as fast as this machine.
const MANY: usize = 100;
/// Handshakes of each kind at the speed of a card.
const FEW: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let pki = Pki::new();
    let mut figures = Figures::default();
    let part = std::env::args().nth(1);
    match part.as_deref() {
        Some(part) => match PARTS.iter().find(|(name, _)| *name == part) {
            Some((name, measure)) => {
                measure(&pki, &mut figures);
                print!("{}", page::section(name, &figures).unwrap_or_default());
            }
            None => {
                let known: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
                eprintln!("no part {part}; there is: {}", known.join(", "));
                std::process::exit(64);
            }
        },
        None => {
            for (_, measure) in PARTS {
                measure(&pki, &mut figures);
            }
            figures.write()?;
            page::write(&figures, Path::new(DOCS))?;
        }
    }
    print!("{figures}");
    Ok(())
}

fn handshakes(pki: &Pki, figures: &mut Figures) {
    for (key, text) in KEYS {
        let credential = pki.server(NAME, key);
        let server = OpensslServer::start(pki, &ServerPlan::new(&credential));
        let software = software::measure(pki, &server, key, MANY);
        let on_card = chain::measure(pki, &server, key, CardSpeed::Machine, MANY);
        for (kind, software, on_card) in [
            ("full", &software.full, &on_card.full),
            ("resumed", &software.resumed, &on_card.resumed),
        ] {
            add(
                figures,
                &format!("{kind} {text}"),
                on_card,
                Goal::AddsLittle,
            );
            compare(figures, &format!("{kind} {text}"), on_card, software);
        }
    }

    for (key, text) in KEYS {
        let credential = pki.server(NAME, key);
        let server = OpensslServer::start(pki, &ServerPlan::new(&credential).tls13());
        let software = software::measure_full(pki, &server, key, &TLS13, MANY);
        let full = chain::measure_full(pki, &server, key, None, MANY);
        add(figures, &format!("tls 1.3 {text}"), &full, Goal::AddsLittle);
        compare(figures, &format!("tls 1.3 {text}"), &full, &software);
    }

    let credential = pki.server(NAME, KeyKind::P256);
    for (plan, text) in [
        (ServerPlan::new(&credential), "full"),
        (ServerPlan::new(&credential).tls13(), "tls 1.3"),
    ] {
        let server = OpensslServer::start(pki, &plan);
        let pcscd = Pcscd::start();
        let full = chain::measure_full(pki, &server, KeyKind::P256, Some(&pcscd), MANY);
        let what = format!("{text} p-256, in a reader");
        add(figures, &what, &full, Goal::AddsLittle);
    }

    let credential = pki.server(NAME, KeyKind::Rsa2048);
    let server = OpensslServer::start(pki, &ServerPlan::new(&credential));
    let slow = chain::measure(pki, &server, KeyKind::Rsa2048, CardSpeed::Paper, FEW);
    for (kind, share) in [("full", &slow.full), ("resumed", &slow.resumed)] {
        let what = format!("{kind} rsa-2048, card of the papers");
        add(figures, &what, share, Goal::AddsOneInAHundred);
    }
}

/// What the chain took, and what of it was the card's.
fn add(figures: &mut Figures, what: &str, share: &Share, goal: Goal) {
    let (total, card) = (share.total.median(), share.card.median());
    let name = |part: &str| format!("{what}: {part}");
    figures.add(&name("chain"), total, Unit::Millis);
    figures.add(&name("chain, p99"), share.total.p99(), Unit::Millis);
    figures.add(&name("card's share"), card, Unit::Millis);
    match goal {
        Goal::AddsLittle => figures.add_below(&name("added"), total - card, Unit::Millis, 2.0),
        Goal::AddsOneInAHundred => {
            let added = (total - card) / card * 100.0;
            figures.add_below(&name("added"), added, Unit::Percent, 1.0);
        }
    }
}

/// What the chain may add to the card's own time.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// Two milliseconds.
    AddsLittle,
    /// A hundredth of it.
    AddsOneInAHundred,
}

/// The same against a library with the key in memory: what is left of either without the server.
fn compare(figures: &mut Figures, what: &str, on_card: &Share, software: &software::Share) {
    let name = |part: &str| format!("{what}: {part}");
    let (total, client) = (software.total.median(), software.client.median());
    figures.add(&name("software key"), total, Unit::Millis);
    figures.add(&name("client share of that"), client, Unit::Millis);
    let server = total - client;
    let ours = on_card.total.median() - on_card.card.median() - server;
    let target = 1.5 * client + 1.0;
    figures.add_below(
        &name("added, without the server"),
        ours,
        Unit::Millis,
        target,
    );
}

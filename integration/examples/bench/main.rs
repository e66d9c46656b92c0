//! How long a handshake takes: over the whole chain, on the card alone, and with a key in a file.
//! What an agent takes of a guest's memory and disk.
//!
//! Prints a table and writes `target/bench.json`. Every time is a median; client, server and all
//! between are on one machine. Build the programs with `--release` first and run this with
//! `--release`:
//!
//! ```sh
//! cargo run --release -p integration --example bench
//! ```
//!
//! With the name of a part (`handshakes`, `apdu`, `throughput`, `fairness`, `scaling`, `agent`,
//! `service`) it measures that alone and writes no file.

mod agent;
mod apdu;
mod chain;
mod fairness;
mod figures;
mod middleware;
mod scaling;
mod software;
mod throughput;

use integration::openssl::{OpensslServer, ServerPlan};
use integration::pcscd::Pcscd;
use integration::pki::{KeyKind, Pki};

use crate::chain::{CardSpeed, Share};
use crate::figures::{Figures, Unit};

const NAME: &str = "www.example";
type Measure = fn(&Pki, &mut Figures);
/// What can be measured alone, by its name on the command line, in the order of the whole.
const PARTS: [(&str, Measure); 7] = [
    ("handshakes", handshakes),
    ("apdu", apdu::measure),
    ("throughput", throughput::measure),
    ("fairness", fairness::measure),
    ("scaling", scaling::measure),
    ("agent", agent::measure),
    ("service", middleware::measure),
];
/// Handshakes of each kind as fast as this machine.
const MANY: usize = 100;
/// Handshakes of each kind at the speed of a card.
const FEW: usize = 5;

fn main() -> std::io::Result<()> {
    let pki = Pki::new();
    let mut figures = Figures::default();
    let part = std::env::args().nth(1);
    match part.as_deref() {
        Some(part) => match PARTS.iter().find(|(name, _)| *name == part) {
            Some((_, measure)) => measure(&pki, &mut figures),
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
        }
    }
    print!("{figures}");
    Ok(())
}

fn handshakes(pki: &Pki, figures: &mut Figures) {
    for (key, text) in [(KeyKind::Rsa2048, "rsa-2048"), (KeyKind::P256, "p-256")] {
        let credential = pki.server(NAME, key);
        let server = OpensslServer::start(pki, &ServerPlan::new(&credential));
        let software = software::measure(pki, &server, key, MANY);
        let on_card = chain::measure(pki, &server, key, CardSpeed::Machine, MANY);
        for (kind, software, on_card) in [
            ("full", &software.full, &on_card.full),
            ("resumed", &software.resumed, &on_card.resumed),
        ] {
            let name = |what: &str| format!("{kind} {text}: {what}");
            figures.add(&name("software key"), software.median(), Unit::Millis);
            figures.add(&name("chain"), on_card.total.median(), Unit::Millis);
            figures.add(&name("card's share"), on_card.card.median(), Unit::Millis);
            let ratio = on_card.total.median() / software.median();
            figures.add(&name("chain to software key"), ratio, Unit::Ratio);
        }
    }

    for (key, text) in [(KeyKind::Rsa2048, "rsa-2048"), (KeyKind::P256, "p-256")] {
        let credential = pki.server(NAME, key);
        let server = OpensslServer::start(pki, &ServerPlan::new(&credential).tls13());
        let full = chain::measure_full(pki, &server, key, None, MANY);
        add(figures, &format!("tls 1.3 {text}"), &full);
    }

    let credential = pki.server(NAME, KeyKind::P256);
    for (plan, text) in [
        (ServerPlan::new(&credential), "tls 1.2"),
        (ServerPlan::new(&credential).tls13(), "tls 1.3"),
    ] {
        let server = OpensslServer::start(pki, &plan);
        let pcscd = Pcscd::start();
        let full = chain::measure_full(pki, &server, KeyKind::P256, Some(&pcscd), MANY);
        add(figures, &format!("{text} p-256, in a reader"), &full);
    }

    let credential = pki.server(NAME, KeyKind::Rsa2048);
    let server = OpensslServer::start(pki, &ServerPlan::new(&credential));
    let slow = chain::measure(pki, &server, KeyKind::Rsa2048, CardSpeed::Paper, FEW);
    for (kind, times) in [("full", &slow.full), ("resumed", &slow.resumed)] {
        let name = |what: &str| format!("{kind} rsa-2048, card of the papers: {what}");
        figures.add(&name("chain"), times.total.median(), Unit::Millis);
        figures.add(&name("card's share"), times.card.median(), Unit::Millis);
    }
}

fn add(figures: &mut Figures, what: &str, share: &Share) {
    let (total, card) = (share.total.median(), share.card.median());
    figures.add(&format!("{what}: chain"), total, Unit::Millis);
    figures.add(&format!("{what}: card's share"), card, Unit::Millis);
}

//! Ten minutes at full load, at both doors: do the programs grow?
//!
//! Two domains with an EAP-TLS card each and two with a PIV card make handshakes, full and resumed, carry
//! some data, and end, as fast as they can. Once a minute memory and descriptors of the service and of
//! an agent at either door are printed, and at the end written to `docs/benchmarks/soak.md`. What is remembered of sessions that are over has its limit,
//! which is reached in the first minutes; from then on none may grow. Exit code 1 when one does.
//!
//! ```sh
//! cargo run --release -p integration --example soak -- 10
//! ```

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, request};
use integration::footprint::{Footprint, MIB};
use integration::pki::{KeyKind, Pki};
use integration::soak_page;
use integration::tls_server::{TlsServer, echo};
use rustls::version::{TLS12, TLS13};

const NAME: &str = "www.example";
/// Domains; each second one has a PIV card.
const DOMAINS: usize = 4;
const MINUTE: Duration = Duration::from_secs(60);
/// Growth of memory that is the allocator's: this share, and so much.
const SLACK: f64 = 0.05;
const SLACK_BYTES: f64 = MIB;

fn main() -> ExitCode {
    let minutes = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let minutes: u32 = minutes.unwrap_or(10).max(2);
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan());
    let credential = pki.server(NAME, KeyKind::P256);
    let servers =
        [&TLS12, &TLS13].map(|version| TlsServer::start(&pki, &credential, version, echo));
    let ports = servers.map(|server| server.port());
    let programs = [
        ("service", chain.middleware().id()),
        ("agent", chain.guest(&name(0)).agent_id()),
        ("agent, piv", chain.guest(&name(1)).agent_id()),
    ];

    let (done, mut said) = (AtomicUsize::new(0), String::new());
    let mut say = |line: &str| {
        println!("{line}");
        said.push_str(line);
        said.push('\n');
    };
    let until = Instant::now() + MINUTE * minutes;
    let chain = &chain;
    let footprints = thread::scope(|scope| {
        for domain in 0..DOMAINS {
            let done = &done;
            scope.spawn(move || run(chain, domain, ports, until, done));
        }
        let mut footprints = Vec::new();
        for minute in 1..=minutes {
            thread::park_timeout(MINUTE);
            let now = programs.map(|(_, process)| Footprint::of(process));
            let sessions = done.load(Ordering::Relaxed);
            let shown = programs.iter().zip(&now);
            let shown: Vec<String> = shown
                .map(|((name, _), now)| format!("{name} {}", show(*now)))
                .collect();
            say(&format!(
                "minute {minute}: {sessions} sessions; {}",
                shown.join("; ")
            ));
            footprints.push(now);
        }
        footprints
    });
    let settled = footprints.len() / 2;
    let (before, after) = (footprints[settled - 1], footprints[footprints.len() - 1]);
    let mut any_has_grown = false;
    for ((name, _), (before, after)) in programs.iter().zip(before.iter().zip(&after)) {
        let has_grown = after.resident > before.resident * (1.0 + SLACK) + SLACK_BYTES
            || after.descriptors > before.descriptors + DOMAINS;
        if has_grown {
            say(&format!("GROWTH in the second half: {name}"));
            any_has_grown = true;
        }
    }
    if !any_has_grown {
        say("no growth in the second half");
    }
    if let Err(error) = soak_page::write("soak", "Ten minutes at full load", ABOUT, &said) {
        eprintln!("the page cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    match any_has_grown {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// What the page says before the figures.
const ABOUT: &str = "Four domains, each second one with a PIV card, make handshakes and carry data \
as fast as they can. None of the programs may grow in the second half.";

fn plan() -> ChainPlan {
    (0..DOMAINS).fold(ChainPlan::new(), |plan, domain| {
        let (seid, name) = (format!("se-{domain:02}"), name(domain));
        let (card, identity) = match domain % 2 {
            0 => (CardPlan::new(&seid), name.as_str()),
            _ => (CardPlan::piv(&seid), "9a"),
        };
        plan.card(card.identity(identity, KeyKind::P256))
            .guest(GuestPlan::new(&name).bound(&seid, identity))
    })
}

fn name(domain: usize) -> String {
    format!("guest-{domain}")
}

fn run(chain: &Chain, domain: usize, ports: [u16; 2], until: Instant, done: &AtomicUsize) {
    let guest = chain.guest(&name(domain));
    let mut data = vec![7; 16 << 10];
    for round in 0.. {
        if Instant::now() >= until {
            return;
        }
        let mut wish = request(ports[round % 2], NAME);
        wish.resume = Some(round % 4 != 0);
        let mut session = guest.ask(wish).expect("a session");
        session.stream.write_all(&data).expect("it stands");
        session.stream.read_exact(&mut data).expect("it stands");
        session.close();
        done.fetch_add(1, Ordering::Relaxed);
    }
}

fn show(footprint: Footprint) -> String {
    let mebibytes = footprint.resident / MIB;
    format!("{mebibytes:.2} MiB, {} descriptors", footprint.descriptors)
}

//! What a domain that asks now and then feels of one that floods their common card.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use integration::chain::{Chain, ChainPlan, GuestPlan, request};
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{TlsServer, echo};
use rustls::version::TLS12;

use crate::NAME;
use crate::door::Door;
use crate::figures::{Figures, Times, Unit};

/// Handshakes of the quiet domain, alone and beside the other.
const HANDSHAKES: usize = 200;
/// Handshakes that the other always has in progress.
const FLOOD: usize = 16;

/// Measures which time 99 of a hundred handshakes of the quiet domain stay below, alone and beside
/// the flood, at both doors.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    for door in Door::BOTH {
        at(door, pki, figures);
    }
}

fn at(door: Door, pki: &Pki, figures: &mut Figures) {
    let card = door.card("se-00", 2, KeyKind::P256);
    let plan = ChainPlan::new()
        .card(card.options(&["--timing", door.tenth_of_a_second()]))
        .guest(GuestPlan::new("quiet").bound("se-00", door.identity(0)))
        .guest(GuestPlan::new("loud").bound("se-00", door.identity(1)));
    let chain = Chain::start(pki, &plan);
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(pki, &credential, &TLS12, echo);
    let port = server.port();

    let alone = now_and_then(&chain, port);
    let is_over = AtomicBool::new(false);
    let beside = thread::scope(|scope| {
        for _ in 0..FLOOD {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    run(&chain, "loud", port);
                }
            });
        }
        let beside = now_and_then(&chain, port);
        is_over.store(true, Ordering::Relaxed);
        beside
    });
    let card = card_time(&chain);
    let name = |what: &str| format!("{}{what}", door.prefix());
    figures.add(
        &name("quiet domain, beside a flood: p50"),
        beside.median(),
        Unit::Millis,
    );
    figures.add(&name("quiet domain, alone: p99"), alone.p99(), Unit::Millis);
    figures.add(&name("one handshake on that card"), card, Unit::Millis);
    figures.add_below(
        &name("quiet domain, beside a flood: p99"),
        beside.p99(),
        Unit::Millis,
        1.2 * alone.p99() + card,
    );
}

fn now_and_then(chain: &Chain, port: u16) -> Times {
    let mut times = Times::default();
    for _ in 0..HANDSHAKES {
        let started = Instant::now();
        run(chain, "quiet", port);
        times.add(started.elapsed());
    }
    times
}

fn run(chain: &Chain, guest: &str, port: u16) {
    let mut wish = request(port, NAME);
    wish.resume = Some(false);
    chain.guest(guest).ask(wish).expect("a session").close();
}

/// What one handshake costs the card, in milliseconds.
fn card_time(chain: &Chain) -> f64 {
    let mut times = Times::default();
    for record in chain.audited("session-established") {
        let micros = record["card_us"].as_u64().expect("a number");
        times.add(std::time::Duration::from_micros(micros));
    }
    times.median()
}

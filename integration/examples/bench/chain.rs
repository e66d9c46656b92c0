//! Handshakes over the whole chain.

use std::time::{Duration, Instant};

use integration::chain::{Chain, ChainPlan, GuestPlan, request};
use integration::openssl::OpensslServer;
use integration::pcscd::Pcscd;
use integration::pki::{KeyKind, Pki};

use crate::NAME;
use crate::door::Door;
use crate::figures::Times;

/// How fast the card is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CardSpeed {
    /// As this machine.
    Machine,
    /// As the cards of the papers.
    Paper,
}

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) full: Share,
    pub(crate) resumed: Share,
}

/// Handshakes of one kind.
#[derive(Debug, Default)]
pub(crate) struct Share {
    /// From the application's request, TCP connection included, to its answer.
    pub(crate) total: Times,
    /// What the card took of that, as the audit says: the sum over its commands.
    pub(crate) card: Times,
}

/// Runs full handshakes alone, as they all are in TLS 1.3; on a virtual card, or on one in the
/// reader of `pcscd`.
pub(crate) fn measure_full(
    pki: &Pki,
    server: &OpensslServer,
    key: KeyKind,
    pcscd: Option<&Pcscd>,
    count: usize,
) -> Share {
    let chain = start(Door::EapTls, pki, key, CardSpeed::Machine, pcscd);
    let mut measured = Measured::default();
    run_full(&chain, server, count, &mut measured);
    read_audit(&chain, &mut measured);
    measured.full
}

/// Runs `count` full handshakes, then as many resumed.
pub(crate) fn measure(
    pki: &Pki,
    server: &OpensslServer,
    key: KeyKind,
    speed: CardSpeed,
    count: usize,
) -> Measured {
    let chain = start(Door::EapTls, pki, key, speed, None);
    let mut measured = Measured::default();
    run_full(&chain, server, count, &mut measured);
    // Leaves a session to resume.
    let mut wish = request(server.port(), NAME);
    wish.resume = Some(true);
    chain.guest("web01").ask(wish).expect("a session").close();
    for _ in 0..count {
        measured.resumed.total.add(run(&chain, server, true));
    }
    read_audit(&chain, &mut measured);
    measured
}

/// Runs full handshakes on a PIV card that is as fast as those of the papers.
pub(crate) fn measure_slow_piv(
    pki: &Pki,
    server: &OpensslServer,
    key: KeyKind,
    count: usize,
) -> Share {
    let chain = start(Door::Piv, pki, key, CardSpeed::Paper, None);
    let mut measured = Measured::default();
    run_full(&chain, server, count, &mut measured);
    read_audit(&chain, &mut measured);
    measured.full
}

fn start(door: Door, pki: &Pki, key: KeyKind, speed: CardSpeed, pcscd: Option<&Pcscd>) -> Chain {
    let timing = match speed {
        CardSpeed::Machine => "none",
        CardSpeed::Paper => "paper",
    };
    let card = door.card("se-00", 1, key).options(&["--timing", timing]);
    let guest = GuestPlan::new("web01").bound("se-00", door.identity(0));
    let plan = ChainPlan::new().card(card).guest(guest);
    match pcscd {
        Some(pcscd) => Chain::start(pki, &plan.in_reader(pcscd)),
        None => Chain::start(pki, &plan),
    }
}

fn run_full(chain: &Chain, server: &OpensslServer, count: usize, measured: &mut Measured) {
    run(chain, server, false);
    for _ in 0..count {
        measured.full.total.add(run(chain, server, false));
    }
}

/// Takes the card's time from the audit.
fn read_audit(chain: &Chain, measured: &mut Measured) {
    // The answers say whole milliseconds, the audit microseconds.
    for record in chain.audited("session-established") {
        let card = record["card_us"].as_u64().expect("a number");
        let share = match record["abbreviated"].as_bool().expect("a yes or no") {
            false => &mut measured.full,
            true => &mut measured.resumed,
        };
        share.card.add(Duration::from_micros(card));
    }
}

/// Time of one handshake.
fn run(chain: &Chain, server: &OpensslServer, resume: bool) -> Duration {
    let mut wish = request(server.port(), NAME);
    wish.resume = Some(resume);
    let started = Instant::now();
    let session = chain.guest("web01").ask(wish).expect("a session");
    let time = started.elapsed();
    let is_resumed = session.established.abbreviated;
    assert_eq!(is_resumed, resume, "of the kind that is measured");
    session.close();
    time
}

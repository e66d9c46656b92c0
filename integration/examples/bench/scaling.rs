//! How many handshakes many cards make, and whether they hinder each other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use integration::chain::{Chain, ChainPlan, GuestPlan, request};
use integration::pki::{KeyKind, Pki};
use integration::tls_server::{TlsServer, echo};
use rustls::HandshakeKind;
use rustls::client::Resumption;
use rustls::version::TLS12;

use crate::NAME;
use crate::door::Door;
use crate::figures::{Figures, Unit};
use crate::software;

/// Cards, each with a domain of its own.
const CARDS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// How long handshakes are counted.
const TIME: Duration = Duration::from_secs(12);
/// The same where the time of a card varies less: a signature takes as long in every handshake.
const TIME_PIV: Duration = Duration::from_secs(6);
/// Share of all processors beyond which the machine, not the service, is the limit.
const BUSY: f64 = 0.6;
const TARGET: f64 = 0.95;

/// Measures handshakes in a second for growing numbers of cards, until the machine is busy, at both
/// doors.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    let credential = pki.server(NAME, KeyKind::P256);
    let server = TlsServer::start(pki, &credential, &TLS12, echo);
    for door in Door::BOTH {
        at(door, pki, server.port(), figures);
    }
    figures.add(
        "engine and server alone",
        ceiling(pki, server.port()),
        Unit::PerSecond,
    );
}

fn at(door: Door, pki: &Pki, port: u16, figures: &mut Figures) {
    let mut of_one = None;
    for cards in CARDS {
        let (rate, busy) = of_cards(door, pki, cards, port);
        let of_one = *of_one.get_or_insert(rate);
        let name = |what: &str| format!("{}cards: {cards}, {what}", door.prefix());
        figures.add(&name("handshakes"), rate, Unit::PerSecond);
        figures.add(&name("processors busy"), busy * 100.0, Unit::Percent);
        let linear = rate / (of_one * cards as f64);
        if busy <= BUSY {
            figures.add_above(&name("of linear"), linear, Unit::Ratio, TARGET);
        } else {
            figures.add(&name("of linear, machine busy"), linear, Unit::Ratio);
            break;
        }
    }
}

/// Handshakes in a second, and the share of the processors that were busy.
fn of_cards(door: Door, pki: &Pki, cards: usize, port: u16) -> (f64, f64) {
    let mut plan = ChainPlan::new();
    for number in 0..cards {
        let (seid, name) = (format!("se-{number:02}"), format!("guest-{number:02}"));
        let card = door.card(&seid, 1, KeyKind::P256);
        plan = plan
            .card(card.options(&["--timing", door.third_of_a_second()]))
            .guest(GuestPlan::new(&name).bound(&seid, door.identity(0)));
    }
    let time = match door {
        Door::EapTls => TIME,
        Door::Piv => TIME_PIV,
    };
    let chain = Chain::start(pki, &plan);
    let done = AtomicUsize::new(0);
    let begin = Barrier::new(cards + 1);
    thread::scope(|scope| {
        for number in 0..cards {
            let (chain, done, begin) = (&chain, &done, &begin);
            scope.spawn(move || {
                let guest = chain.guest(&format!("guest-{number:02}"));
                // One before, so that all are under way.
                begin.wait();
                let until = Instant::now() + time;
                while Instant::now() < until {
                    let mut wish = request(port, NAME);
                    wish.resume = Some(false);
                    guest.ask(wish).expect("a session").close();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        begin.wait();
        let (started, before) = (Instant::now(), Processors::read());
        thread::park_timeout(time);
        let (rate, busy) = (
            done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64(),
            Processors::read().busy_since(&before),
        );
        (rate, busy)
    })
}

/// Handshakes in a second of the same TLS library against the same server, without card, channel and
/// agent, on all processors.
fn ceiling(pki: &Pki, port: u16) -> f64 {
    let mut config = software::config(pki, KeyKind::P256, &TLS12);
    config.resumption = Resumption::disabled();
    let config = Arc::new(config);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let done = AtomicUsize::new(0);
    let time = TIME / 4;
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let until = Instant::now() + time;
                while Instant::now() < until {
                    software::run(&config, port, HandshakeKind::Full);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.load(Ordering::Relaxed) as f64 / time.as_secs_f64()
}

/// What the processors have done since the machine started, in ticks.
struct Processors {
    busy: f64,
    all: f64,
}

impl Processors {
    fn read() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").expect("Linux has it");
        // `cpu  user nice system idle iowait irq softirq steal ...`
        let line = stat.lines().next().expect("the sum of all");
        let ticks: Vec<f64> = line
            .split_ascii_whitespace()
            .skip(1)
            .take(8)
            .map(|ticks| ticks.parse().expect("a number"))
            .collect();
        let all = ticks.iter().sum();
        let idle: f64 = ticks.iter().skip(3).take(2).sum();
        let busy = all - idle;
        Self { busy, all }
    }

    fn busy_since(&self, before: &Self) -> f64 {
        (self.busy - before.busy) / (self.all - before.all).max(1.0)
    }
}

//! The RACS server: how many APDUs go through it, what it adds to each, and what a card on another
//! host's grid adds to a handshake.

mod alone;
mod awake;
mod card;
mod delay;
mod far;
mod load;
mod places;

use std::time::Duration;

use integration::pki::Pki;
use integration::racs_user::RacsDesk;

use self::awake::Awake;
pub(crate) use self::far::{DISTANCES, FAR, added};
use self::load::{Load, Plan, run};
use self::places::Place;
use crate::figures::{Figures, Unit};

/// The cards of a grid, and the most connections to it.
const CARDS: usize = 8;
/// APDUs in a request, where there are several.
const BATCH: usize = 16;
/// What is measured: connections, and APDUs in a request.
pub(crate) const CASES: [(&str, usize, usize); 4] = [
    ("1 connection", 1, 1),
    ("8 connections", CARDS, 1),
    ("1 connection, 16 in a request", 1, BATCH),
    ("8 connections, 16 in a request", CARDS, BATCH),
];
/// How long each case is run, eleven times.
const SLICE: Duration = Duration::from_millis(250);

/// Measures all of it.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    let _awake = Awake::keep();
    round_trips(pki, figures);
    far::measure(pki, figures);
}

fn round_trips(pki: &Pki, figures: &mut Figures) {
    for way in Way::ALL {
        let desk = RacsDesk::new(pki);
        let place = Place::start(way, pki, &desk);
        for (case, connections, batch) in CASES {
            let plan = Plan {
                connections,
                batch,
                slice: SLICE,
            };
            let load = run(&desk, place.address(), plan);
            let name = |what: &str| format!("{}{what}", way.figure(case));
            figures.add(&name(""), load.rate, Unit::PerSecond);
            figures.add(&name(", worst"), load.worst, Unit::PerSecond);
            match way.published(case) {
                Some((_, theirs)) if way == Way::InProcess => {
                    figures.add_above(&name(", best"), load.best, Unit::PerSecond, theirs);
                }
                // What a daemon or a socket takes is this machine's, and the other one's was another.
                _ => figures.add(&name(", best"), load.best, Unit::PerSecond),
            }
            if (connections, batch) == (1, 1) {
                add_latency(figures, way, &place, &load);
            }
        }
    }
}

/// What a user feels of one APDU, and what of it is the way from here to the card.
fn add_latency(figures: &mut Figures, way: Way, place: &Place, load: &Load) {
    let (p50, p99) = (load.times.median() * 1e3, load.times.p99() * 1e3);
    let mut add = |what: &str, value| {
        let name = way.figure(&format!("one apdu, {what}"));
        figures.add(&name, value, Unit::Micros);
    };
    add("p50", p50);
    add("p99", p99);
    let Some(alone) = place.alone() else {
        return;
    };
    add("p50 of the card source alone", alone.p50);
    add("p99 of the card source alone", alone.p99);
    add("added, p50", p50 - alone.p50);
    add("added, p99", p99 - alone.p99);
}

/// How the server comes to its cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// They are a function of its own.
    InProcess,
    /// By the socket of a virtual card.
    Vicc,
    /// In readers of `pcscd`.
    Pcscd,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::InProcess, Self::Vicc, Self::Pcscd];

    /// The name of a figure.
    pub(crate) fn figure(self, what: &str) -> String {
        format!("racs, {self}: {what}")
    }

    /// What the server of the protocol's author does on two processors in the same case: the least and
    /// the most of several runs. Of two clients that were used the faster one.
    ///
    /// Source: specs/racs.md §17.
    pub(crate) fn published(self, case: &str) -> Option<(f64, f64)> {
        Some(match (self, case) {
            (Self::InProcess, "1 connection") => (37_500.0, 43_600.0),
            (Self::InProcess, "8 connections") => (49_000.0, 54_000.0),
            (Self::InProcess, "1 connection, 16 in a request") => (176_000.0, 189_000.0),
            (Self::InProcess, "8 connections, 16 in a request") => (329_000.0, 343_000.0),
            (Self::Pcscd, "1 connection") => (8_200.0, 16_800.0),
            (Self::Pcscd, "8 connections") => (12_600.0, 22_600.0),
            (Self::Pcscd, "1 connection, 16 in a request") => (13_000.0, 19_000.0),
            (Self::Pcscd, "8 connections, 16 in a request") => (19_000.0, 32_000.0),
            _ => return None,
        })
    }
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InProcess => "in process",
            Self::Vicc => "vicc",
            Self::Pcscd => "pcscd",
        })
    }
}

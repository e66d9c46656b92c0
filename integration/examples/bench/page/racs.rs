//! The part of the page about the RACS server and cards of other hosts.

use std::fmt::Write as _;

use crate::door::Door;
use crate::figures::Figures;
use crate::racs::{CASES, DISTANCES, FAR, Way};

const HEAD: &str = "\
## RACS

APDUs in a second through the RACS server, over TLS 1.3, client and server being programs of their own on
the same two processors. The card does nothing but give back the eight bytes that it is given; each
connection has one for itself. The client's requests are made before; it checks every answer, and asks again
when it has it. Each figure is the median of eleven pieces of a quarter of a second, with the worst and the
best of them. Programs of the lowest priority keep the processors awake: where a virtual one that has nothing
to do is taken away, waking it takes longer than all that is measured here. The author's figures, too, were
taken with other work beside.

- **in process**: the card is a function in the server's program (`racs_grid`, with everything of the server
  but the service's cards). The server of the protocol's author was measured like that too, with a stand-in for
  the PC/SC library.
- **vicc**: the service, to which the cards, threads of the client's program, are connected by Unix sockets.
- **pcscd**: the service and a `pcscd` of its own, with a virtual reader (`vpcd`) for each card.
- **the card source alone**: one APDU after the other by the service's code for `vicc` or PC/SC, without the
  server: the most that is to be had from one card on this machine.
- **the author's server**: release 8 on another machine with two processors (2 GHz), by TLS 1.2: the range of
  several runs, as our specification has it.

";

const LATENCY: &str = "\
One APDU of one connection, in microseconds, beside what the same APDU takes by the card source alone. With
several programs in a row, most of it is waking the next one, which depends on the processor where the system
lets it run: such times may be three times as long in one moment as in the next.

";

const HANDSHAKES: &str = "\
Full handshakes of TLS 1.2 with a key of RSA-2048 in a card of another host, from the application's request to
its answer: what is added to those with a card of this host. Between the two services is a proxy that gives on
what goes through so much later, each way; so a round trip takes twice that. **One by one** is
`batches = false`: each APDU in a request of its own.

";

/// Writes that part.
pub(super) fn write(figures: &Figures, page: &mut String) {
    page.push_str(HEAD);
    page.push_str("| APDUs in a second |");
    for (case, ..) in CASES {
        let _ = write!(page, " {case} |");
    }
    page.push_str("\n|---|---:|---:|---:|---:|\n");
    for way in Way::ALL {
        let cell = |case: &str| {
            let value = |what: &str| figures.value(&format!("{}{what}", way.figure(case)));
            let (worst, rate, best) = (value(", worst")?, value("")?, value(", best")?);
            Some(format!("{rate:.0} ({worst:.0} – {best:.0})"))
        };
        row(page, &way.to_string(), cell);
        if let Some(alone) = figures.value(&way.figure("one apdu, p50 of the card source alone")) {
            let alone =
                |case: &str| (case == "1 connection").then(|| format!("{:.0}", 1e6 / alone));
            row(page, &format!("{way}, the card source alone"), alone);
        }
        if way.published("1 connection").is_some() {
            let theirs = |case: &str| {
                let (least, most) = way.published(case)?;
                Some(format!("{least:.0} – {most:.0}"))
            };
            row(page, &format!("the author's server, {way}"), theirs);
        }
    }
    page.push('\n');

    page.push_str(LATENCY);
    page.push_str("| | p50 | p99 | alone, p50 | alone, p99 | added, p50 | added, p99 |\n");
    page.push_str("|---|---:|---:|---:|---:|---:|---:|\n");
    for way in Way::ALL {
        let _ = write!(page, "| {way} |");
        for what in [
            "p50",
            "p99",
            "p50 of the card source alone",
            "p99 of the card source alone",
            "added, p50",
            "added, p99",
        ] {
            let value = figures.value(&way.figure(&format!("one apdu, {what}")));
            let text = value.map_or_else(String::new, |value| format!("{value:.1}"));
            let _ = write!(page, " {text} |");
        }
        page.push('\n');
    }
    page.push('\n');

    page.push_str(HANDSHAKES);
    page.push_str("| added, ms |");
    for (distance, _) in DISTANCES {
        let _ = write!(page, " {distance} ms away |");
    }
    page.push_str("\n|---|---:|---:|---:|\n");
    for door in Door::BOTH {
        for (how, _) in FAR {
            let kind = match door {
                Door::EapTls => "EAP-TLS card",
                Door::Piv => "PIV card",
            };
            let _ = write!(page, "| {kind}, {how} |");
            for (distance, _) in DISTANCES {
                let value = figures.value(&crate::racs::added(door, distance, how));
                let _ = write!(page, " {:.2} |", value.unwrap_or(f64::NAN));
            }
            page.push('\n');
        }
    }
    page.push_str("\n| | | should be | |\n|---|---:|---|---|\n");
    for way in Way::ALL {
        for (case, ..) in CASES {
            if way == Way::InProcess
                && let Some(row) = figures.row(&format!("{}, best", way.figure(case)))
            {
                let _ = writeln!(page, "{row}");
            }
        }
    }
    page.push('\n');
}

fn row(page: &mut String, who: &str, cell: impl Fn(&str) -> Option<String>) {
    let _ = write!(page, "| {who} |");
    for (case, ..) in CASES {
        let _ = write!(page, " {} |", cell(case).unwrap_or_default());
    }
    page.push('\n');
}

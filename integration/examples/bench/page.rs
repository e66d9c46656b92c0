//! `docs/benchmarks.md` and its pictures, made from the figures of one run.

mod doors;
mod racs;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::figures::Figures;
use crate::plots::{self, Bars};

/// What the page says before the figures.
const HEAD: &str = "\
# Benchmarks

Made by `make bench`; not to be edited. Every figure is of one run on one machine, in which client,
service, card, server and the plain TLS library all shared its processors. So it is the ratios that
say something; the times are for orientation. Medians, unless p99 is said. What begins with **piv** was
measured with cards that only sign, all else with EAP-TLS cards unless it says which.

- **chain**: from the application's request, TCP connection included, to its answer.
- **card's share**: the sum over its commands, as the audit has it. The soft card is a second TLS
  engine; without `--timing paper` its share is this machine's.
- **software key**: the same handshake by rustls with the key in memory, against the same server.
- **added**: the chain without the card's share. What the server takes is in it: with OpenSSL and
  RSA-2048 more than a millisecond, which the software key pays as well. It is left out in **added,
  without the server**, which may be one and a half times the client share and a millisecond.
- **client share**: the processor time of that library for it.

`make soak` writes what comes of longer times: [ten minutes at full load](benchmarks/soak.md) and
[an hour of troubles](benchmarks/fault-soak.md).

";

/// A title, pictures, and how the names of the figures begin.
type Section = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const SECTIONS: &[Section] = &[
    (
        "Handshakes",
        &["handshakes"],
        &[
            "full rsa-2048",
            "full p-256",
            "resumed rsa-2048",
            "resumed p-256",
            "tls 1.",
        ],
    ),
    ("One command to a card", &[], &["command of "]),
    ("Data", &["throughput"], &["data ", "piv, data "]),
    (
        "Fairness",
        &[],
        &[
            "quiet domain",
            "one handshake on",
            "piv, quiet domain",
            "piv, one handshake on",
        ],
    ),
    (
        "Many cards",
        &["cards", "cards-piv"],
        &["cards: ", "piv, cards: ", "engine and server"],
    ),
    (
        "Memory and descriptors",
        &[],
        &[
            "agent: ",
            "service: ",
            "piv, agent: ",
            "piv, service: ",
            "vchan: ",
        ],
    ),
    ("Tokens", &[], &["token verification"]),
    ("Channels", &[], &["channel, "]),
];

/// Writes the page into `docs`, and its pictures beside it.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(figures: &Figures, docs: &Path) -> Result<(), Box<dyn Error>> {
    let pictures = docs.join("benchmarks");
    fs::create_dir_all(&pictures)?;
    handshakes(figures).draw(&pictures.join("handshakes.svg"))?;
    throughput(figures).draw(&pictures.join("throughput.svg"))?;
    for (file, bars) in doors::pictures(figures) {
        bars.draw(&pictures.join(file))?;
    }
    plots::scaling(figures, "", &pictures.join("cards.svg"))?;
    plots::scaling(figures, "piv, ", &pictures.join("cards-piv.svg"))?;

    let mut page = HEAD.to_owned();
    for (title, pictures, of) in SECTIONS {
        if *title == "One command to a card" {
            doors::write(figures, &mut page);
        }
        if *title == "Data" {
            racs::write(figures, &mut page);
        }
        let _ = write!(page, "## {title}\n\n");
        for picture in *pictures {
            let _ = write!(page, "![{title}](benchmarks/{picture}.svg)\n\n");
        }
        page.push_str("| | | should be | |\n|---|---:|---|---|\n");
        for row in figures.rows(of) {
            let _ = writeln!(page, "{row}");
        }
        page.push('\n');
    }
    fs::write(
        docs.join("benchmarks.md"),
        page.trim_end().to_owned() + "\n",
    )?;
    Ok(())
}

/// The part of the page about what can be measured alone, where there is one.
pub(crate) fn section(part: &str, figures: &Figures) -> Option<String> {
    (part == "racs").then(|| {
        let mut page = String::new();
        racs::write(figures, &mut page);
        page
    })
}

fn handshakes(figures: &Figures) -> Bars<'static> {
    let groups = [
        "full rsa-2048",
        "resumed rsa-2048",
        "full p-256",
        "resumed p-256",
    ];
    let of = |what: &str| {
        let value = |group: &&str| figures.value(&format!("{group}: {what}")).unwrap_or(0.0);
        groups.iter().map(value).collect()
    };
    Bars {
        title: "TLS 1.2 handshakes",
        unit: "ms",
        groups: groups.map(str::to_owned).to_vec(),
        series: vec![
            ("chain", of("chain")),
            ("card's share", of("card's share")),
            ("software key", of("software key")),
        ],
    }
}

fn throughput(figures: &Figures) -> Bars<'static> {
    let ways = ["from the server", "to the server"];
    let groups = ["software key", "stream", "socket", "keys"];
    let of = |way: &str| {
        let value = |group: &&str| {
            figures
                .value(&format!("data {way}: {group}"))
                .unwrap_or(0.0)
        };
        groups.iter().map(value).collect()
    };
    Bars {
        title: "Data through a connection, TLS 1.3",
        unit: "MB/s",
        groups: groups.map(str::to_owned).to_vec(),
        series: ways.map(|way| (way, of(way))).to_vec(),
    }
}

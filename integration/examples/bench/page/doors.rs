//! The part of the page about both doors: a table for each kind of handshakes, then the targets.

use std::fmt::Write as _;

use crate::doors::{Case, Contender, Kind, Version};
use crate::figures::Figures;
use crate::plots::Bars;

/// What is compared, and with what.
const HEAD: &str = "\
## Both doors

At the one the card makes the handshake (EAP-TLS), at the other the service does and the card signs
(PIV). All meet the same server in this run, in turns, with soft cards that are as fast as this machine
and take extended APDUs, as the profile of each says.

- **key in a file**: rustls in the application, its key in memory. **Client share** is the processor
  time that it takes for a handshake at its own end.
- **key behind pkcs#11**: OpenSSL in a program of its own, with its engine for PKCS#11; the key is in
  SoftHSM behind `p11-kit server` on a Unix socket. All clients share one token with one key.
- **added**: the median less that of the key in a file; what the soft card takes is in it. It should be at
  most one and a half times the client share and half a millisecond, and for resumed handshakes one
  millisecond. **Without the card** it is what Tessera's programs add, less what signing takes of the key
  in a file.
- **processor**: what all programs of a handshake take of the processors together, server and application
  included; of it the service, the agents and the cards.
- **to pkcs#11**: the median, mean, p99, or the handshakes in a second, by those of the key behind PKCS#11.

An EAP-TLS card in software makes the whole handshake in a program of its own, in nine commands and six round
trips (TLS 1.2, its end included): with P-256 their way there and back shows, where a signature behind PKCS#11 is a
few calls. Of a real card none of this can be seen.

With 64 domains at once both processors are busy, and a time is mostly that of waiting for them. Our domains
take turns; behind PKCS#11 some clients wait several times as long as others, so their median is less than their
mean. Mean and p99 are compared as well.

";

/// Writes that part.
pub(super) fn write(figures: &Figures, page: &mut String) {
    page.push_str(HEAD);
    page.push_str(
        "![One domain](benchmarks/doors.svg)\n\n![64 domains](benchmarks/doors-64.svg)\n\n",
    );
    page.push_str("| | p50, ms | p99, ms | in a second | processor, ms | service, agents, cards |\n|---|---:|---:|---:|---:|---|\n");
    for case in cases() {
        for who in Contender::ALL {
            let value = |what: &str| figures.value(&name(&case, who, what));
            let (Some(p50), Some(p99), Some(rate)) = (value("p50"), value("p99"), value("rate"))
            else {
                continue;
            };
            let all = value("processor").unwrap_or(f64::NAN);
            let parts = ["service", "agents", "cards"];
            let parts = parts.map(|part| value(&format!("processor of the {part}")));
            let parts: Vec<String> = parts
                .into_iter()
                .flatten()
                .map(|part| format!("{part:.2}"))
                .collect();
            let parts = parts.join(", ");
            let _ = writeln!(
                page,
                "| {case}: {who} | {p50:.2} | {p99:.2} | {rate:.0} | {all:.2} | {parts} |"
            );
        }
    }
    page.push_str("\n| | | should be | |\n|---|---:|---|---|\n");
    for case in cases() {
        for who in Contender::ALL {
            for what in [
                "client share",
                "card's share",
                "added",
                "added, without the card",
                "p50 to pkcs#11",
                "mean to pkcs#11",
                "p99 to pkcs#11",
                "rate to pkcs#11",
            ] {
                if let Some(row) = figures.row(&name(&case, who, what)) {
                    let _ = writeln!(page, "{row}");
                }
            }
        }
    }
    for row in figures.rows(&["full tls 1.2 rsa-2048, piv", "full tls 1.3 rsa-2048, piv"]) {
        let _ = writeln!(page, "{row}");
    }
    page.push('\n');
}

/// Bars of one domain's medians, and of many domains' handshakes in a second.
pub(super) fn pictures(figures: &Figures) -> [(&'static str, Bars<'static>); 2] {
    [
        (
            "doors.svg",
            bars(figures, 1, "p50", "One domain, P-256", "ms"),
        ),
        (
            "doors-64.svg",
            bars(
                figures,
                64,
                "rate",
                "64 domains, P-256",
                "handshakes in a second",
            ),
        ),
    ]
}

fn bars(
    figures: &Figures,
    domains: usize,
    what: &str,
    title: &'static str,
    unit: &'static str,
) -> Bars<'static> {
    let cases = Case::KINDS.map(|(kind, version)| Case::new(domains, kind, version, "p-256"));
    let of = |who: Contender| {
        let value = |case: &Case| figures.value(&name(case, who, what)).unwrap_or(0.0);
        cases.iter().map(value).collect()
    };
    Bars {
        title,
        unit,
        groups: Case::KINDS.map(label).to_vec(),
        series: vec![
            ("key in a file", of(Contender::InFile)),
            ("key behind PKCS#11", of(Contender::Pkcs11)),
            ("EAP-TLS card", of(Contender::EapTls)),
            ("PIV card", of(Contender::Piv)),
        ],
    }
}

fn label((kind, version): (Kind, Version)) -> String {
    let kind = match kind {
        Kind::Full => "full",
        Kind::Resumed => "resumed",
    };
    let version = match version {
        Version::Tls12 => "TLS 1.2",
        Version::Tls13 => "TLS 1.3",
    };
    format!("{kind}, {version}")
}

/// All that are measured.
fn cases() -> impl Iterator<Item = Case> {
    let settings = [(1, "rsa-2048"), (1, "p-256"), (64, "p-256")];
    settings.into_iter().flat_map(|(domains, key)| {
        Case::KINDS.map(|(kind, version)| Case::new(domains, kind, version, key))
    })
}

fn name(case: &Case, who: Contender, what: &str) -> String {
    format!("{case}: {who}, {what}")
}

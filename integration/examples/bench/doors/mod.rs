//! Handshakes at both doors, against a TLS library with its key in a file and against OpenSSL with
//! its key behind PKCS#11: one domain after the other, and 64 at once.
//!
//! All meet the same server, in turns of the same run. What is compared are ratios and differences
//! of medians.
//!
//! | Module | Holds |
//! |---|---|
//! | `case` | what kind of handshakes is made |
//! | `client` | what makes handshakes, whoever has the key |
//! | `in_file`, `pkcs11`, `through_chain` | the three kinds of that |
//! | `contest` | clients that take turns, and what came of it |
//! | `processor` | what the processors do for handshakes |
//! | `setting` | all that takes part |

mod case;
mod client;
mod contest;
mod in_file;
mod pkcs11;
mod processor;
mod setting;
mod through_chain;

use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};

pub(crate) use self::case::{Case, Contender, Kind, Version};
use self::client::Work;
use self::contest::{Contest, Score};
use self::setting::Setting;
use crate::figures::{Figures, Unit};
use crate::{FEW, Goal, KEYS, NAME, add, chain};

/// Measures all kinds of handshakes by one domain, then by many, then with a card of the papers.
pub(crate) fn measure(pki: &Pki, figures: &mut Figures) {
    for (key, text) in KEYS {
        measure_all(pki, (1, key, text), (ROUNDS_OF_ONE, EACH_OF_ONE), figures);
    }
    let many = (MANY, KeyKind::P256, "p-256");
    measure_all(pki, many, (ROUNDS_OF_MANY, EACH_OF_MANY), figures);
    if only().is_none() {
        on_slow_card(pki, figures);
    }
}

/// Measures all kinds of handshakes by as many domains with such keys.
fn measure_all(
    pki: &Pki,
    (domains, key, text): (usize, KeyKind, &'static str),
    work: (usize, Work),
    figures: &mut Figures,
) {
    let cases = Case::KINDS.map(|(kind, version)| Case::new(domains, kind, version, text));
    let wanted = |case: &Case| only().is_none_or(|text| case.to_string().contains(&text));
    let cases: Vec<Case> = cases.into_iter().filter(wanted).collect();
    if cases.is_empty() {
        return;
    }
    let setting = Setting::start(pki, domains, key);
    for case in cases {
        run(&setting, &case, work, figures);
    }
}

/// What a case must have in its name, if not all are to be measured.
fn only() -> Option<String> {
    std::env::args().nth(2)
}

/// The doors' share of the card of the papers: one signature.
fn on_slow_card(pki: &Pki, figures: &mut Figures) {
    let credential = pki.server(NAME, KeyKind::Rsa2048);
    for (plan, version) in [
        (ServerPlan::new(&credential), "tls 1.2"),
        (ServerPlan::new(&credential).tls13(), "tls 1.3"),
    ] {
        let server = OpensslServer::start(pki, &plan);
        let share = chain::measure_slow_piv(pki, &server, KeyKind::Rsa2048, FEW);
        let what = format!("full {version} rsa-2048, piv card of the papers");
        add(figures, &what, &share, Goal::AddsOneInAHundred);
    }
}

/// Lets all who can make such handshakes take turns, and adds what came of it.
fn run(setting: &Setting, case: &Case, (rounds, work): (usize, Work), figures: &mut Figures) {
    let scores = Contest::new(setting, case).run(rounds, work);
    let name = |who: Contender, what: &str| format!("{case}: {who}, {what}");
    for (who, score) in &scores {
        figures.add(&name(*who, "p50"), score.times.median(), Unit::Millis);
        figures.add(&name(*who, "p99"), score.times.p99(), Unit::Millis);
        figures.add(&name(*who, "rate"), score.rate(), Unit::PerSecond);
        let all = score.processor(None);
        figures.add(&name(*who, "processor"), all, Unit::Millis);
        for (program, what) in PROGRAMS.iter().filter(|_| Contender::CHAINS.contains(who)) {
            let time = score.processor(Some(program));
            figures.add(&name(*who, what), time, Unit::Millis);
        }
    }
    let of = |wanted: Contender| {
        let found = scores.iter().find(|(who, _)| *who == wanted);
        found.map(|(_, score)| score)
    };
    let in_file = of(Contender::InFile).expect("it can do all");
    if case.domains == 1 {
        let client = setting.client_share(case);
        figures.add(
            &name(Contender::InFile, "client share"),
            client,
            Unit::Millis,
        );
        for who in Contender::CHAINS {
            let Some(score) = of(who) else { continue };
            let card = setting.card_share(who, case.kind);
            figures.add(&name(who, "card's share"), card, Unit::Millis);
            let added = score.times.median() - in_file.times.median();
            let target = match case.kind {
                Kind::Full => 1.5 * client + 0.5,
                Kind::Resumed => 1.0,
            };
            figures.add_below(&name(who, "added"), added, Unit::Millis, target);
            let rest = added - card;
            figures.add(&name(who, "added, without the card"), rest, Unit::Millis);
        }
    }
    if let Some(pkcs11) = of(Contender::Pkcs11) {
        for who in Contender::CHAINS {
            let Some(score) = of(who) else { continue };
            compare(figures, &|what| name(who, what), score, pkcs11);
        }
    }
}

/// Is it ahead of the key behind PKCS#11?
fn compare(figures: &mut Figures, name: &dyn Fn(&str) -> String, ours: &Score, theirs: &Score) {
    let latency = ours.times.median() / theirs.times.median();
    let mean = ours.times.mean() / theirs.times.mean();
    let worst = ours.times.p99() / theirs.times.p99();
    let rate = ours.rate() / theirs.rate();
    figures.add_below(&name("p50 to pkcs#11"), latency, Unit::Ratio, 1.0);
    figures.add_below(&name("mean to pkcs#11"), mean, Unit::Ratio, 1.0);
    figures.add_below(&name("p99 to pkcs#11"), worst, Unit::Ratio, 1.0);
    figures.add_above(&name("rate to pkcs#11"), rate, Unit::Ratio, 1.0);
}

/// Whose part of the processor time is told apart, as the kernel has its name.
const PROGRAMS: [(&str, &str); 3] = [
    ("dom0-middleware", "processor of the service"),
    ("domu-agent", "processor of the agents"),
    ("soft-card", "processor of the cards"),
];

/// Domains at once.
const MANY: usize = 64;
const ROUNDS_OF_ONE: usize = 25;
const EACH_OF_ONE: Work = Work::Count(40);
const ROUNDS_OF_MANY: usize = 3;
const EACH_OF_MANY: Work = Work::For(std::time::Duration::from_secs(1));

//! How sessions ended.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::host::{DOMAINS, Profile};

/// How one session ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Well: there and back.
    Done,
    /// With this error, which has a name.
    Named(String),
    /// As nothing may end.
    Wrong(String),
}

/// Counts, from many threads.
#[derive(Debug, Default)]
pub(super) struct Tally {
    ended: AtomicUsize,
    done: [AtomicUsize; DOMAINS.len()],
    named: Mutex<BTreeMap<String, usize>>,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    pub(super) fn add(&self, domain: usize, outcome: Outcome) {
        match outcome {
            Outcome::Done => {
                self.done[domain].fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Named(name) => {
                let mut named = self.named.lock().expect("no guest panicked");
                *named.entry(name).or_default() += 1;
            }
            Outcome::Wrong(what) => {
                let mut wrong = self.wrong.lock().expect("no guest panicked");
                wrong.push(format!("{}: {what}", DOMAINS[domain].name));
            }
        }
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Sessions that have ended, in whatever way.
    pub(super) fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Sessions that ended well, of a domain.
    pub(super) fn done(&self, domain: usize) -> usize {
        self.done[domain].load(Ordering::Relaxed)
    }

    /// Sessions that ended well.
    pub(super) fn all_done(&self) -> usize {
        (0..DOMAINS.len()).map(|domain| self.done(domain)).sum()
    }

    /// Sessions that ended well, on cards of a kind.
    pub(super) fn done_on(&self, profile: Profile) -> usize {
        let own = (0..DOMAINS.len()).filter(|domain| DOMAINS[*domain].profile() == profile);
        own.map(|domain| self.done(domain)).sum()
    }

    pub(super) fn named(&self) -> BTreeMap<String, usize> {
        self.named.lock().expect("no guest panicked").clone()
    }

    pub(super) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().expect("no guest panicked").clone()
    }
}

/// What came of a fault soak.
#[derive(Debug, Clone)]
pub struct Report {
    /// What the troubles were drawn from.
    pub seed: u64,
    /// Sessions that ended well: at the EAP-TLS cards, and at the PIV cards.
    pub done: [usize; 2],
    /// Those that ended otherwise, by the name of their error.
    pub named: BTreeMap<String, usize>,
    /// What went wrong on purpose.
    pub troubles: BTreeMap<&'static str, usize>,
    /// What the operator had to do.
    pub operator: BTreeMap<&'static str, usize>,
    /// What must not be, and was.
    pub wrong: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [eap_tls, piv] = self.done;
        writeln!(f, "seed {}", self.seed)?;
        writeln!(
            f,
            "ended well: {eap_tls} at EAP-TLS cards, {piv} at PIV cards"
        )?;
        for (name, count) in &self.named {
            writeln!(f, "ended with {name}: {count}")?;
        }
        for (what, count) in self.troubles.iter().chain(&self.operator) {
            writeln!(f, "{what}: {count}")?;
        }
        for what in &self.wrong {
            writeln!(f, "WRONG: {what}")?;
        }
        Ok(())
    }
}

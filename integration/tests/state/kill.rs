//! `kill -9` of the service at any moment, while operators bind, unbind and revoke.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use integration::binaries;
use integration::chain::Chain;
use integration::pki::Pki;
use integration::xenstored::uuid;
use rand::Rng;
use serde_json::Value;

use super::{await_service, json, plan};

/// How often, unless [`KILLS`] says otherwise.
const FEW: usize = 10;
/// An environment variable; `.ci/run` asks for a hundred.
const KILLS: &str = "TESSERA_KILLS";
/// The longest time between two kills: enough for some changes, not for many.
const LIFE: Duration = Duration::from_millis(200);
/// Operators at the same time; each has domains of its own.
const OPERATORS: usize = 2;
const DOMAINS: usize = 3;

/// What one operator has said, and what came of it.
#[derive(Debug, Default)]
struct Operator {
    number: usize,
    /// The numbers of its domains that are bound for certain.
    bound: BTreeSet<usize>,
    /// Tokens that are revoked for certain.
    revoked: BTreeSet<String>,
    /// Changes that were answered.
    answered: usize,
    /// The change that was not answered: it was made, or it was not.
    open: Option<Change>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Bind(usize),
    Unbind(usize),
    Revoke(String),
}

impl Operator {
    fn domain(&self, number: usize) -> String {
        uuid(100 + self.number * DOMAINS + number)
    }

    fn choose(&self) -> Change {
        let mut random = rand::thread_rng();
        let domain = random.gen_range(0..DOMAINS);
        match random.gen_range(0..3) {
            0 => {
                let cti: [u8; 16] = random.r#gen();
                Change::Revoke(cti.iter().map(|byte| format!("{byte:02x}")).collect())
            }
            _ if self.bound.contains(&domain) => Change::Unbind(domain),
            _ => Change::Bind(domain),
        }
    }

    fn arguments(&self, change: &Change, trust: &str) -> Vec<String> {
        let words = match change {
            Change::Revoke(cti) => format!("token revoke {cti}"),
            Change::Unbind(domain) => format!("vm unbind {}", self.domain(*domain)),
            Change::Bind(domain) => {
                let uuid = self.domain(*domain);
                // Two identities, so that there could be half of it.
                format!(
                    "vm bind {uuid} --card se-00 --shared --trust {trust} --identity {uuid}.1 \
                     --identity {uuid}.2"
                )
            }
        };
        words.split(' ').map(str::to_owned).collect()
    }

    /// Makes changes until one is not answered.
    fn work(&mut self, chain: &Place, done: &AtomicBool) {
        while !done.load(Ordering::SeqCst) {
            let change = self.choose();
            let mut command = binaries::middleware();
            command.args(self.arguments(&change, &chain.trust));
            command.args(["--admin", &chain.admin]);
            let output = command.output().expect("it is there");
            match output.status.code() {
                Some(0) => self.note(&change),
                // It was killed before it answered.
                Some(69) => {
                    self.open = Some(change);
                    return;
                }
                _ => panic!("{change:?}: {output:?}"),
            }
        }
    }

    fn note(&mut self, change: &Change) {
        self.answered += 1;
        match change.clone() {
            Change::Bind(domain) => drop(self.bound.insert(domain)),
            Change::Unbind(domain) => drop(self.bound.remove(&domain)),
            Change::Revoke(cti) => drop(self.revoked.insert(cti)),
        }
    }

    /// Compares with what the service says after its restart.
    fn check(&mut self, bindings: &[Value], revoked: &BTreeSet<String>) {
        for domain in 0..DOMAINS {
            let uuid = self.domain(domain);
            let found = bindings
                .iter()
                .filter(|binding| binding["domain"] == uuid.as_str());
            let is_bound = match found.count() {
                0 => false,
                2 => true,
                n => panic!("half a change: {n} bindings of {uuid}"),
            };
            let open = self.open.take_if(
                |open| matches!(open, Change::Bind(of) | Change::Unbind(of) if *of == domain),
            );
            match (open, is_bound) {
                (Some(Change::Bind(_)), true) => drop(self.bound.insert(domain)),
                (Some(Change::Unbind(_)), false) => drop(self.bound.remove(&domain)),
                (_, is_bound) => assert_eq!(self.bound.contains(&domain), is_bound, "{uuid}"),
            }
        }
        if let Some(Change::Revoke(cti)) = self.open.take()
            && revoked.contains(&cti)
        {
            self.revoked.insert(cti);
        }
        let lost: Vec<_> = self.revoked.difference(revoked).collect();
        assert!(lost.is_empty(), "not revoked any more: {lost:?}");
    }
}

/// Where the service is.
struct Place {
    admin: String,
    trust: String,
}

#[test]
fn killed_at_any_moment_all_that_was_answered_is_found_and_nothing_half() {
    let kills = std::env::var(KILLS).map_or(FEW, |text| text.parse().expect("a number"));
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan());
    await_service(&mut chain);
    let text = |path: std::path::PathBuf| path.to_str().expect("UTF-8").to_owned();
    let place = Place {
        admin: text(chain.admin_socket()),
        trust: text(chain.folder().join("ca.pem")),
    };
    let mut operators: Vec<Operator> = (0..OPERATORS)
        .map(|number| Operator {
            number,
            ..Operator::default()
        })
        .collect();
    let mut made_again = 0;
    for _ in 0..kills {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for operator in &mut operators {
                scope.spawn(|| operator.work(&place, &done));
            }
            // Any moment will do; there is nothing to wait for.
            thread::park_timeout(LIFE.mul_f64(rand::thread_rng().r#gen::<f64>()));
            chain.middleware().kill();
            done.store(true, Ordering::SeqCst);
        });
        chain.restart_after_kill();
        await_service(&mut chain);
        let bindings = json(&chain, &["vm", "list"]);
        let bindings = bindings.as_array().expect("a list");
        let tokens = json(&chain, &["token", "list"]);
        let cti = |token: &Value| token["cti"].as_str().expect("a number").to_owned();
        let revoked = tokens.as_array().expect("a list").iter().map(cti).collect();
        for operator in &mut operators {
            operator.check(bindings, &revoked);
        }
    }
    for record in chain.audited("state-behind-audit") {
        made_again += record["again"].as_array().map_or(0, Vec::len);
    }
    let numbers: Vec<u64> = chain
        .audit()
        .iter()
        .filter_map(|record| record["change"].as_u64())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert!(chain.audited("audit-behind-state").is_empty());
    let answered: usize = operators.iter().map(|operator| operator.answered).sum();
    assert!(answered > kills / 2, "it does something: {answered}");
    eprintln!("{kills} kills, {answered} changes answered, {made_again} made again from the audit");
}

//! All of it, and what must hold at the end.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::host::{self, CARDS, Card, DOMAINS, Profile};
use super::load::Load;
use super::operator::Operator;
use super::plan::{FaultPlan, What};
use super::server::Servers;
use super::staller::Staller;
use super::tally::{Outcome, Report};
use crate::at_end::AtEnd;
use crate::chain::Chain;
use crate::pki::Pki;
use crate::wait::PATIENCE;

/// Runs a fault soak. What must not be, and was, is in the report.
///
/// # Panics
/// When something does not start, or the service or an agent ends by itself.
#[must_use]
pub fn run(plan: &FaultPlan) -> Report {
    let pki = Pki::new();
    let mut chain = host::start(&pki);
    let servers = Servers::start(&pki, host::certificates(&chain));
    let stallers = servers.ports().map(|port| Staller::start(port, plan.seed));
    let stalled = [stallers[0].port(), stallers[1].port()];
    let load = Load::new(&chain, servers.ports(), stalled);
    let mut soak = Soak {
        chain: &mut chain,
        load: &load,
        operator: Operator::default(),
        troubles: BTreeMap::new(),
    };
    let went_on = thread::scope(|scope| {
        for (domain, application) in Load::applications() {
            let load = &load;
            scope.spawn(move || load.run(domain, application, plan.seed));
        }
        // Also when something panics.
        let _end = AtEnd(&load.is_over);
        let went_on = soak.bring_trouble(plan);
        if went_on.is_err() {
            // Whoever waits for an agent that never answers must not wait on.
            soak.kill_all();
        }
        went_on
    });
    let end = went_on.and_then(|()| soak.look_at_the_end());
    let (mut troubles, operator) = (soak.troubles, soak.operator.did);
    let stalls = stallers.iter().map(Staller::count).sum();
    troubles.insert("servers that stalled", stalls);
    troubles.insert("faults of cards", faults(&mut chain));
    let mut wrong = load.tally.wrong();
    wrong.extend(servers.strangers());
    wrong.extend(end.err());
    Report {
        seed: plan.seed,
        done: [Profile::EapTls, Profile::Piv].map(|profile| load.tally.done_on(profile)),
        named: load.tally.named(),
        troubles,
        operator,
        wrong,
    }
}

struct Soak<'s> {
    chain: &'s mut Chain,
    load: &'s Load,
    operator: Operator,
    troubles: BTreeMap<&'static str, usize>,
}

impl Soak<'_> {
    /// Does all that is planned, each when it is due, and waits for as many sessions as are wanted.
    fn bring_trouble(&mut self, plan: &FaultPlan) -> Result<(), String> {
        for trouble in plan.troubles() {
            self.wait_until(|load| load.tally.all_done() >= trouble.at)?;
            self.make(trouble.what);
        }
        let [eap_tls, piv] = plan.wanted;
        self.wait_until(|load| {
            load.tally.done_on(Profile::EapTls) >= eap_tls
                && load.tally.done_on(Profile::Piv) >= piv
        })
    }

    fn make(&mut self, what: What) {
        let name = match what {
            What::Pull(card) => {
                self.chain.pull(CARDS[card].seid);
                "cards pulled"
            }
            What::PutBack(card, faults) => {
                let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
                self.chain.put_back(CARDS[card].seid, &faults);
                return;
            }
            What::Kill(domain) => {
                let domid = u16::try_from(domain + 1).expect("a few guests");
                self.load.turn(domain);
                self.chain.reboot(DOMAINS[domain].name, domid);
                self.load.turn(domain);
                "guests killed"
            }
        };
        *self.troubles.entry(name).or_default() += 1;
    }

    /// Waits while the operator looks after the cards. Sessions must go on ending.
    fn wait_until(&mut self, is_so: impl Fn(&Load) -> bool) -> Result<(), String> {
        let (mut ended, mut since) = (self.load.tally.ended(), Instant::now());
        let mut looks = 0_u32;
        while !is_so(self.load) {
            self.chain.middleware().expect_running();
            if let Some(guest) = self.load.stuck() {
                return Err(format!("a session of {guest} did not end"));
            }
            if let Some(wrong) = self.load.tally.wrong().first() {
                return Err(format!("stopped at the first that is wrong: {wrong}"));
            }
            if self.load.tally.ended() > ended {
                (ended, since) = (self.load.tally.ended(), Instant::now());
            }
            if since.elapsed() > PATIENCE {
                return Err("no session ended any more".to_owned());
            }
            if looks.is_multiple_of(LOOKS_OF_OPERATOR) {
                let _ = self.operator.look(self.chain)?;
            }
            looks += 1;
            thread::park_timeout(LOOK);
        }
        Ok(())
    }

    fn kill_all(&mut self) {
        self.load.is_over.store(true, Ordering::SeqCst);
        for (domain, place) in DOMAINS.iter().zip(0..) {
            self.load.turn(place);
            self.chain.kill_agent(domain.name);
        }
    }

    /// No card is lost, no try of a PIN, and the audit holds.
    fn look_at_the_end(&mut self) -> Result<(), String> {
        self.until("every card is there", |soak| soak.operator.look(soak.chain))?;
        for (domain, place) in DOMAINS.iter().zip(0..) {
            for version in [0, 1] {
                let what = format!("{} is served again", domain.name);
                self.until(&what, |soak| match soak.load.once(place, version) {
                    Outcome::Done => Ok(true),
                    // Not all faults have happened yet, and a card may wait for the operator.
                    Outcome::Named(_) => soak.operator.look(soak.chain).map(|_| false),
                    Outcome::Wrong(what) => Err(what),
                })?;
            }
            if self.load.tally.done(place) == 0 {
                return Err(format!("no session of {} ended well at load", domain.name));
            }
        }
        for Card { seid, .. } in &CARDS {
            let tries = self.chain.pin_tries(seid);
            if tries != ALL_TRIES {
                return Err(format!("{seid}: {tries} tries of its PIN are left"));
            }
        }
        self.audit()
    }

    /// Looks until something is so.
    fn until(
        &mut self,
        what: &str,
        mut is_so: impl FnMut(&mut Self) -> Result<bool, String>,
    ) -> Result<(), String> {
        let deadline = Instant::now() + RECOVERY;
        while !is_so(self)? {
            if Instant::now() >= deadline {
                let cards = self.chain.admin(&["card", "list"]).stdout;
                let cards = String::from_utf8_lossy(&cards).into_owned();
                return Err(format!("waited in vain: {what}\n{cards}"));
            }
            thread::park_timeout(LOOK);
        }
        Ok(())
    }

    /// Its chain holds, and nobody's session was made with another's identity.
    fn audit(&self) -> Result<(), String> {
        for record in self.chain.audited("session-established") {
            let domid = record["domid"]
                .as_u64()
                .and_then(|domid| usize::try_from(domid).ok());
            let domain = domid.and_then(|domid| DOMAINS.get(domid.checked_sub(1)?));
            let text = |key: &str| record[key].as_str().unwrap_or_default();
            let is_own = domain.is_some_and(|own| own.may_use(text("seid"), text("identity")));
            if !is_own {
                return Err(format!(
                    "a session with another domain's identity: {record}"
                ));
            }
        }
        Ok(())
    }
}

/// Faults that the cards say have happened.
fn faults(chain: &mut Chain) -> usize {
    let logs = chain.cards().iter().map(|card| card.log());
    logs.map(|log| log.matches(" fault ").count()).sum()
}

/// Time between two looks at what goes on.
const LOOK: Duration = Duration::from_millis(20);
/// How many of them the operator lets pass.
const LOOKS_OF_OPERATOR: u32 = 25;
/// The longest that a card may take to serve again: the service tries an unusable one every 30 s.
const RECOVERY: Duration = Duration::from_secs(90);
/// What a card starts with.
const ALL_TRIES: u64 = 3;

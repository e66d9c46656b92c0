//! Guests that a real xenstored knows.

mod client;
mod delivery;
mod enrolment;
mod faults;
mod hv_card;
mod leaving;
mod liar;
mod renewal;
mod stored_token;
mod token_names;
mod who;

use std::path::PathBuf;
use std::time::Duration;

use domu_agent::client::AppError;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, Session};
use integration::openssl::OpensslServer;
use integration::pki::KeyKind;
use integration::wait;
use integration::xenstored::{Domain, Xenstored, uuid};

const NAME: &str = "www.example";

/// A host with a daemon, a chain on it, and a server.
struct Host {
    chain: Chain,
    server: OpensslServer,
    xenstored: Xenstored,
}

/// What is longer than any test machine needs for a census.
const PATIENT: u64 = 5_000;

impl Host {
    /// The guest `web01`, which is domain 1 and has a card, and `other`, which has domid 2 if there
    /// is such a domain, and no binding.
    fn start() -> Self {
        Self::with(Xenstored::start(), card(&[]), PATIENT)
    }

    fn with(xenstored: Xenstored, card: CardPlan, domain_read_ms: u64) -> Self {
        Self::at(xenstored, None, card, domain_read_ms)
    }

    /// The service asks whoever listens at `socket`, if one is given.
    fn at(
        xenstored: Xenstored,
        socket: Option<PathBuf>,
        card: CardPlan,
        domain_read_ms: u64,
    ) -> Self {
        xenstored.create(&web01(1));
        let plan = ChainPlan::new()
            .card(card)
            .guest(GuestPlan::new("web01").bound("se-00", "web01"))
            .guest(GuestPlan::new("other"))
            .limit("domain_read_ms", domain_read_ms)
            .on_xenstore_at(socket.unwrap_or_else(|| xenstored.socket()));
        Self::planned(xenstored, &plan)
    }

    /// What the plan says, and a server.
    fn planned(xenstored: Xenstored, plan: &ChainPlan) -> Self {
        let (chain, server) = Chain::start_with_server(plan, NAME);
        Self {
            chain,
            server,
            xenstored,
        }
    }

    fn connect(&self, guest: &str) -> Result<Session, AppError> {
        self.chain.guest(guest).connect(self.server.port(), NAME)
    }

    /// The agent of `other` gets the token of the first domain, as if that one had moved there.
    fn give_first_token_to_other(&self) {
        let certificate = self.chain.certificate_file("se-00", "web01");
        let file = self.chain.token_file("other");
        self.chain
            .issue_token("other", &uuid(1), vec![certificate], &file);
    }

    /// A session of a guest that has come back, if need be after a while.
    fn connect_soon(&self, guest: &str) -> Session {
        wait::until("the guest is let in", || self.connect(guest).ok())
    }

    /// Waits until a guest is refused as nobody's: before, its agent may still notice that the
    /// connection it had was closed.
    fn wait_not_bound(&self, guest: &str) {
        wait::until("the guest is refused", || {
            let error = self.connect(guest).expect_err("it has no right");
            (error.code == "not-bound").then_some(())
        });
    }

    /// Waits until `status` says that xenstore is in this state, and that of what is wrong; with what
    /// else it says of it.
    fn wait_xenstore(&self, state: &str, problem: &str) -> serde_json::Value {
        wait::until("xenstore is in another state", || {
            let output = self.chain.admin(&["status", "--json"]);
            let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
            let xenstore = &status["xenstore"];
            let said = xenstore["problem"].as_str().unwrap_or_default();
            let is_so = xenstore["state"] == state && said.contains(problem);
            is_so.then(|| xenstore.clone())
        })
    }

    /// Waits until a refusal with this reason is in the audit.
    fn wait_refused(&self, domid: u16, reason: &str) {
        // Of refusals with one code only the first in ten seconds is recorded at once.
        wait::until(reason, || {
            let refused = self.chain.audited("session-refused");
            let found = refused.iter().any(|record| {
                let text = record["reason"].as_str().unwrap_or_default();
                record["domid"] == domid && text.contains(reason)
            });
            found.then_some(())
        });
    }

    /// The names in the audit of all sessions that were made.
    fn names(&self) -> Vec<String> {
        let records = self.chain.audited("session-established");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        records.iter().map(|record| text(&record["name"])).collect()
    }
}

fn card(options: &[&str]) -> CardPlan {
    CardPlan::new("se-00")
        .identity("web01", KeyKind::P256)
        .options(options)
}

/// The domain of the first guest, under some domid.
fn web01(domid: u16) -> Domain {
    Domain::new(domid, 1, "web01")
}

fn report(what: &str, time: Duration) {
    println!("{what}: {:.1} ms", time.as_secs_f64() * 1e3);
}

/// Reading to the end of a stream that somebody cuts off.
trait CutOff {
    fn read_to_end_or_reset(&mut self) -> bool;
}

impl CutOff for std::os::unix::net::UnixStream {
    fn read_to_end_or_reset(&mut self) -> bool {
        let mut bytes = Vec::new();
        match std::io::Read::read_to_end(self, &mut bytes) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

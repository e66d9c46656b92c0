//! A host on which one guest, card or server misbehaves while the others go about their business.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::chain::{CardPlan, Chain, ChainPlan, Guest, GuestPlan, request};
use crate::openssl::{OpensslServer, ServerPlan};
use crate::payload::payload;
use crate::pki::{Credential, KeyKind, Pki};
use crate::wait;

use KeyKind::P256;

use crate::at_end::AtEnd;

/// The name of every server.
pub const NAME: &str = "www.example";

/// Three guests: `rogue`, `neighbour` on the same card, `stranger` on a card of its own.
#[derive(Debug)]
pub struct World {
    /// Who is trusted.
    pub pki: Pki,
    /// The host.
    pub chain: Chain,
    /// The certificate of every server.
    pub credential: Credential,
    /// One that everybody trusts for each guest, TLS 1.2 and 1.3.
    servers: BTreeMap<&'static str, OpensslServer>,
}

/// The guests that do nothing wrong.
const OTHERS: [&str; 2] = ["neighbour", "stranger"];

impl World {
    /// Starts it with limits other than the defaults, and options for the shared card.
    ///
    /// # Panics
    /// When something does not start.
    #[must_use]
    pub fn start(limits: &[(&str, u64)], card: &[&str]) -> Self {
        let pki = Pki::new();
        let shared = CardPlan::new("se-00")
            .identity("rogue", P256)
            .identity("neighbour", P256)
            .options(card);
        let mut plan = ChainPlan::new()
            .card(shared)
            .card(CardPlan::new("se-01").identity("stranger", P256))
            .guest(GuestPlan::new("rogue").bound("se-00", "rogue"))
            .guest(GuestPlan::new("neighbour").bound("se-00", "neighbour"))
            .guest(GuestPlan::new("stranger").bound("se-01", "stranger"));
        for (limit, value) in limits {
            plan = plan.limit(limit, *value);
        }
        let chain = Chain::start(&pki, &plan);
        let credential = pki.server(NAME, P256);
        let server = || OpensslServer::start(&pki, &ServerPlan::new(&credential).both_versions());
        let servers = ["rogue", "neighbour", "stranger"].map(|guest| (guest, server()));
        Self {
            servers: servers.into(),
            pki,
            chain,
            credential,
        }
    }

    /// The guest that may do something bad, or have it done to it.
    #[must_use]
    pub fn rogue(&self) -> &Guest {
        self.chain.guest("rogue")
    }

    /// Does something bad while the other guests make one connection after the other, each of which
    /// must work, and at least one of each from begin to end meanwhile. Afterwards `rogue` makes a
    /// connection in all honour.
    ///
    /// # Panics
    /// When one of the others is disturbed.
    pub fn undisturbed<T>(&self, what: &str, deed: impl FnOnce() -> T) -> T {
        let done = AtomicBool::new(false);
        let sessions = OTHERS.map(|_| AtomicUsize::new(0));
        let result = thread::scope(|scope| {
            for (guest, count) in OTHERS.into_iter().zip(&sessions) {
                let done = &done;
                scope.spawn(move || {
                    while !done.load(Ordering::SeqCst) {
                        self.exchange(guest, what);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            // Also when the deed fails.
            let _end = AtEnd(&done);
            let wait_for_one_more = || {
                for count in &sessions {
                    let before = count.load(Ordering::SeqCst);
                    wait::until("the other guests go on", || {
                        (count.load(Ordering::SeqCst) > before).then_some(())
                    });
                }
            };
            wait_for_one_more();
            let result = deed();
            wait_for_one_more();
            result
        });
        self.exchange("rogue", what);
        result
    }

    /// Does something bad while each of the other guests makes a connection. Afterwards `rogue`
    /// makes one in all honour.
    ///
    /// # Panics
    /// When one of the others is disturbed.
    pub fn beside<T: Send>(&self, what: &str, deed: impl FnOnce() -> T + Send) -> T {
        let result = thread::scope(|scope| {
            let deed = scope.spawn(deed);
            for guest in OTHERS {
                self.exchange(guest, what);
            }
            deed.join()
        });
        let result = result.unwrap_or_else(|panic| resume_unwind(panic));
        self.exchange("rogue", what);
        result
    }

    /// One connection of a guest with data both ways.
    ///
    /// # Panics
    /// When it fails.
    pub fn exchange(&self, guest: &str, what: &str) {
        let server = self.servers.get(guest).expect("one for each");
        let mut wish = request(server.port(), NAME);
        wish.resume = Some(false);
        let session = self.chain.guest(guest).ask(wish);
        let mut session = session.unwrap_or_else(|no| panic!("{what}: {guest}: {no}"));
        session.send(&payload(500));
        assert_eq!(server.receive(500), payload(500), "{what}");
        server.send(&payload(700));
        assert_eq!(session.read(700), payload(700), "{what}");
        session.close();
    }

    /// The audit holds, and so does the middleware.
    ///
    /// # Panics
    /// When not.
    pub fn finish(mut self) {
        self.chain.middleware().expect_running();
        assert!(!self.chain.audit().is_empty());
    }
}

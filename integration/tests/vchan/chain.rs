//! The whole chain, with vchans between the guests and the middleware.

use domu_agent::client::AppError;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, Session};
use integration::openssl::OpensslServer;
use integration::pki::KeyKind;
use integration::plain_vchan::PlainVchan;
use integration::racs_guest::RacsGuest;
use integration::wait;
use integration::xenstored::{Domain, Xenstored};
use serde_json::Value;

const NAME: &str = "www.example";

/// A host on which the domains 1 and 2 run: `web01`, which is bound, and `other`, which is not.
struct Host {
    chain: Chain,
    server: OpensslServer,
    xenstored: Xenstored,
    vchan: PlainVchan,
}

impl Host {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(limits: &[(&str, u64)]) -> Self {
        let (xenstored, vchan) = (Xenstored::start(), PlainVchan::new());
        let mut plan = ChainPlan::new()
            .card(CardPlan::new("se-00").identity("web01", KeyKind::P256))
            .guest(
                GuestPlan::new("web01")
                    .bound("se-00", "web01")
                    .raw_apdu("FFFF0000 00A40000\n"),
            )
            .guest(GuestPlan::new("other"))
            .as_domains_of(&xenstored)
            .over_vchan(&vchan);
        for (limit, value) in limits {
            plan = plan.limit(limit, *value);
        }
        let (chain, server) = Chain::start_with_server(&plan, NAME);
        Self {
            chain,
            server,
            xenstored,
            vchan,
        }
    }

    fn connect(&self, guest: &str) -> Result<Session, AppError> {
        self.chain.guest(guest).connect(self.server.port(), NAME)
    }

    /// The guest is served, if need be after a while.
    fn served(&self, guest: &str) {
        let session = wait::until("the guest is served", || self.connect(guest).ok());
        session.close();
    }

    fn key(&self, domid: u16) -> Option<Vec<u8>> {
        let path = format!("/local/domain/0/data/tessera/{domid}/ring-ref");
        let mut key = None;
        self.xenstored.change(|store| {
            key = store.read(&path)?;
            Ok(())
        });
        key
    }

    /// Waits until the server for a domid has gone or come.
    fn wait_for_server(&self, domid: u16, there: bool) {
        wait::until("a vchan server comes or goes", || {
            (self.key(domid).is_some() == there).then_some(())
        });
    }
}

#[test]
fn a_bound_domain_is_served_and_one_that_is_not_is_told_why() {
    let host = Host::start();
    host.chain.guest("web01").converse(&host.server, NAME);
    assert!(host.key(2).is_none());
    let error = host.connect("other").expect_err("it is not bound");
    assert!(
        error
            .message
            .contains("dom0 has no channel for this domain"),
        "{error}"
    );
    let status = host
        .chain
        .guest("other")
        .client()
        .status()
        .expect("it runs");
    let last = status.dom0.last_error.unwrap_or_default();
    assert!(
        last.contains("it is not bound, or dom0-middleware does not run"),
        "{last}"
    );
    let output = host.chain.admin(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let channels = status["channels"].as_array().expect("a list");
    assert_eq!(channels.len(), 1, "{status}");
    assert_eq!(channels[0]["kind"], "vchan");
    assert_eq!(channels[0]["domid"], 1);
}

#[test]
fn a_guest_speaks_racs_over_a_vchan_of_its_own_beside_that_of_its_agent() {
    let host = Host::start();
    host.served("web01");
    let mut racs = RacsGuest::start(&host.chain, "web01");
    assert_eq!(racs.say("LIST"), "+004 001 se-00");
    // A vchan has one client.
    let (exit, said) = RacsGuest::start(&host.chain, "web01").ended();
    assert_eq!(exit, Some(69), "{said}");
    assert!(said.contains("another domu-agent racs"), "{said}");
    assert_eq!(racs.code("POWERON se-00"), "+008 001");
    assert_eq!(racs.code("APDU se-00 00A40400"), "+006 001");
    assert_eq!(racs.code("SHUTDOWN se-00"), "+007 001");
    host.served("web01");
    racs.end_input();
    assert_eq!(racs.ended().0, Some(0));
    // One that is killed leaves no vchan that a next one would wait for.
    let mut racs = RacsGuest::start(&host.chain, "web01");
    assert_eq!(racs.code("POWERON se-00"), "+008 001");
    racs.kill();
    host.served("web01");
    let mut racs = RacsGuest::start(&host.chain, "web01");
    assert_eq!(racs.code("POWERON se-00"), "+008 001");
}

#[test]
fn agents_and_the_middleware_may_be_killed() {
    let mut host = Host::start();
    host.served("web01");
    for _ in 0..3 {
        host.chain.reboot("web01", 1);
        host.served("web01");
    }
    host.chain.middleware().kill();
    host.chain.restart_after_kill();
    host.served("web01");
}

#[test]
fn nodes_that_a_killed_middleware_has_left_are_taken_away_or_made_anew() {
    let mut host = Host::start();
    host.served("web01");
    host.chain.middleware().kill();
    assert!(host.key(1).is_some(), "nobody has taken it away");
    // Its domain has another domid now, another domain has its own; one is not bound, one has ended.
    host.xenstored.destroy(1);
    host.xenstored.create(&Domain::new(1, 3, "successor"));
    host.xenstored.create(&Domain::new(9, 1, "web01"));
    let folder = "/local/domain/0/data/tessera";
    host.xenstored.change(|store| {
        for domid in [2, 5, 9] {
            store.write(&format!("{folder}/{domid}/ring-ref"), b"8")?;
            store.set_permissions(&format!("{folder}/{domid}"), &["b0"])?;
        }
        Ok(())
    });
    host.chain.restart_after_kill();
    host.chain.reboot("web01", 9);
    host.served("web01");
    let of_web01 = host.xenstored.permissions(&format!("{folder}/9"));
    assert_eq!(of_web01, ["n0", "r9"]);
    for domid in [1, 2, 5] {
        assert_eq!(host.xenstored.read(&format!("{folder}/{domid}")), None);
    }
}

#[test]
fn a_domain_that_reboots_finds_its_vchan_under_its_new_domid() {
    let mut host = Host::start();
    host.served("web01");
    host.xenstored.destroy(1);
    host.wait_for_server(1, false);
    host.xenstored.create(&Domain::new(9, 1, "web01"));
    host.wait_for_server(9, true);
    host.chain.reboot("web01", 9);
    host.served("web01");
}

#[test]
fn an_agent_whose_domain_was_restored_leaves_its_vchan_and_makes_another() {
    let host = Host::with(&[("ping_after_ms", 500), ("ping_answer_ms", 1_000)]);
    host.served("web01");
    let before = host.chain.audited("guest-admitted").len();
    // Which the kernel of a restored domain says too: it registers all watches anew.
    host.xenstored
        .change(|store| store.write("/local/domain/1/domid", b"1"));
    wait::until("the agent is admitted again", || {
        (host.chain.audited("guest-admitted").len() > before).then_some(())
    });
    host.served("web01");
}

#[test]
fn another_domain_under_the_same_domid_gets_no_vchan() {
    let host = Host::start();
    host.served("web01");
    host.xenstored.destroy(1);
    host.xenstored.create(&Domain::new(1, 3, "successor"));
    host.wait_for_server(1, false);
    host.chain
        .guest("web01")
        .client()
        .status()
        .expect("it runs");
    wait::until("the agent is told", || {
        let error = host.connect("web01").expect_err("it is another domain");
        error.message.contains("no channel").then_some(())
    });
}

#[test]
fn a_restarted_xenstored_gets_the_keys_anew() {
    let mut host = Host::start();
    host.served("web01");
    host.xenstored.kill();
    host.xenstored.start_again();
    host.xenstored.create(&Domain::new(1, 1, "web01"));
    // What stands goes on; whoever comes anew finds a server.
    host.chain.reboot("web01", 1);
    host.served("web01");
}

#[test]
fn a_guest_that_scribbles_over_its_ring_is_cut_off_and_comes_back() {
    // A ring whose counters make no sense is silent: so the guest is soon asked for a sign of life.
    let host = Host::with(&[("ping_after_ms", 500), ("ping_answer_ms", 1_000)]);
    host.served("web01");
    for word in [0_u32, 4, 8, 12] {
        for page in host.vchan.pages() {
            page.scribble(word.into(), &(0x1000_0000_u32 << (word / 4)).to_ne_bytes());
        }
    }
    host.served("web01");
}

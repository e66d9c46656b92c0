//! Guests that a real xenstored knows: who gets in, and what becomes of those that leave.

use std::time::{Duration, Instant};

use domu_agent::client::AppError;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan, Session, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
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
        let pki = Pki::new();
        xenstored.create(&web01(1));
        let plan = ChainPlan::new()
            .card(card)
            .guest(GuestPlan::new("web01").bound("se-00", "web01"))
            .guest(GuestPlan::new("other"))
            .limit("domain_read_ms", domain_read_ms)
            .on_xenstore(&xenstored);
        let chain = Chain::start(&pki, &plan);
        let credential = pki.server(NAME, KeyKind::P256);
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
        Self {
            chain,
            server,
            xenstored,
        }
    }

    fn connect(&self, guest: &str) -> Result<Session, AppError> {
        self.chain.guest(guest).connect(self.server.port(), NAME)
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

#[test]
fn a_domain_is_let_in_by_its_uuid_whatever_its_name() {
    let host = Host::start();
    host.connect("web01").expect("it is bound").close();
    host.xenstored.rename(&web01(1), "renamed");
    host.connect("web01").expect("it is the same").close();
    assert_eq!(host.names(), ["web01", "renamed"]);
    // Another one that takes the name takes nothing else.
    host.xenstored.create(&Domain::new(2, 2, "web01"));
    let error = host.connect("other").expect_err("not bound");
    assert_eq!(error.code, "not-bound", "{error}");
    host.connect("web01").expect("still there").close();
}

#[test]
fn a_domain_that_is_not_there_is_turned_away() {
    let host = Host::start();
    let error = host.connect("other").expect_err("nobody has domid 2");
    assert_eq!(error.code, "not-bound", "{error}");
    host.wait_refused(2, "domain 2 is gone");
    host.connect("web01").expect("it is there").close();
}

#[test]
fn a_domain_that_is_destroyed_loses_what_runs_what_waits_and_what_it_had() {
    // Two seconds for each handshake: the first runs, the second waits.
    let host = Host::with(Xenstored::start(), card(&["--timing", "paper"]), PATIENT);
    let mut standing = host.connect("web01").expect("a session");
    std::thread::scope(|scope| {
        let opens: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut wish = request(host.server.port(), NAME);
                    wish.resume = Some(false);
                    let refused = host.chain.guest("web01").ask(wish);
                    (refused.expect_err("its domain ends"), Instant::now())
                })
            })
            .collect();
        wait::until("one handshake runs, one waits", || {
            let output = host.chain.admin(&["status", "--json"]);
            let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
            (status["running"] == 1 && status["waiting"] == 1).then_some(())
        });
        let begun = Instant::now();
        host.xenstored.destroy(1);
        for open in opens {
            let (error, at) = open.join().expect("no panic");
            assert_eq!(error.code, "not-bound", "{error}");
            report(
                "destroyed, and a handshake is refused",
                at.saturating_duration_since(begun),
            );
        }
        assert!(standing.stream.read_to_end_or_reset(), "it is cut off");
        report("destroyed, and a TLS connection is closed", begun.elapsed());
    });
    let ended = host.chain.audited("domain-ended");
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(ended[0]["domain"], uuid(1));
    assert_eq!(host.names().len(), 1, "no key left any more");
    host.wait_refused(1, "domain 1 is gone");
    // The card is free for the next.
    host.chain.wait_card("present");
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

#[test]
fn after_a_reboot_a_domain_gets_in_under_its_new_domid_only() {
    let host = Host::start();
    host.connect("web01").expect("a session").close();
    host.xenstored.destroy(1);
    host.xenstored.create(&web01(2));
    host.connect_soon("other").close();
    host.wait_not_bound("web01");
    let domids: Vec<_> = host
        .chain
        .audited("session-established")
        .iter()
        .map(|record| (record["domid"].clone(), record["domain"].clone()))
        .collect();
    let same = uuid(1);
    assert_eq!(
        domids,
        [(1.into(), same.clone().into()), (2.into(), same.into())]
    );
}

#[test]
fn another_domain_under_the_same_domid_inherits_nothing() {
    let host = Host::start();
    let mut session = host.connect("web01").expect("a session");
    host.xenstored.create(&Domain::new(1, 9, "stranger"));
    assert!(session.stream.read_to_end_or_reset(), "it is cut off");
    host.wait_not_bound("web01");
    let ended = host.chain.audited("domain-ended");
    let reason = ended[0]["reason"].as_str().expect("a text");
    assert!(reason.contains(&uuid(9)), "{reason}");
}

#[test]
fn of_two_domains_with_one_uuid_neither_gets_a_card() {
    let host = Host::start();
    host.connect("web01").expect("alone").close();
    host.xenstored.create(&web01(2));
    for guest in ["web01", "other"] {
        let error = host.connect(guest).expect_err("which of the two is it?");
        assert_eq!(error.code, "not-bound", "{guest}: {error}");
    }
    host.wait_refused(1, "domains 1 and 2 both have UUID");
    host.xenstored.destroy(2);
    host.connect_soon("web01").close();
}

#[test]
fn without_xenstored_nothing_is_opened_what_runs_goes_on_and_it_comes_back() {
    let mut host = Host::with(Xenstored::start(), card(&[]), 1_000);
    let mut session = host.connect("web01").expect("a session");
    host.xenstored.kill();
    for _ in 0..3 {
        let begun = Instant::now();
        let error = host.connect("web01").expect_err("nobody can be asked");
        report(
            "xenstored is dead, and a session is refused",
            begun.elapsed(),
        );
        assert_eq!(error.code, "internal", "{error}");
    }
    host.wait_refused(1, "could not be read");
    session.send(&payload(1_000));
    assert_eq!(host.server.receive(1_000), payload(1_000));
    session.close();

    host.xenstored.start_again();
    // It has forgotten its domains, so they have ended; then the toolstack writes them again.
    host.xenstored.create(&web01(1));
    host.connect_soon("web01").close();
    host.chain.middleware().expect_running();
    // The watches are set again.
    let mut session = host.connect_soon("web01");
    host.xenstored.destroy(1);
    assert!(session.stream.read_to_end_or_reset(), "it is cut off");
}

#[test]
fn a_xenstored_that_hangs_costs_the_deadline_and_no_descriptors() {
    let mut host = Host::with(Xenstored::start(), card(&[]), 100);
    let mut session = host.connect_soon("web01");
    let descriptors = |host: &mut Host| {
        let folder = format!("/proc/{}/fd", host.chain.middleware().id());
        std::fs::read_dir(folder).expect("it runs").count()
    };
    let before = descriptors(&mut host);
    host.xenstored.freeze();
    let mut refused = 0;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        let asked = Instant::now();
        let error = host.connect("web01").expect_err("nobody answers");
        assert_eq!(error.code, "internal", "{error}");
        assert!(asked.elapsed() < Duration::from_secs(5));
        refused += 1;
    }
    let after = descriptors(&mut host);
    println!("{refused} refused in 5 s; descriptors {before}, then {after}");
    assert!(after < before + 8, "{before} descriptors became {after}");
    session.send(&payload(100));
    assert_eq!(host.server.receive(100), payload(100));
    // The server serves one connection at a time.
    session.close();
    host.xenstored.thaw();
    host.connect_soon("web01").close();
}

#[test]
fn a_service_that_starts_before_xenstored_waits_for_it() {
    let mut host = Host::start();
    host.connect("web01").expect("a session").close();
    host.xenstored.kill();
    host.chain.restart_middleware();
    let error = wait::until("the agent is back", || host.connect("web01").err());
    println!("{error}");
    wait::until("the log says what is wrong", || {
        let log = host.chain.middleware().log();
        log.contains("xenstored has ended: nobody listens at")
            .then_some(())
    });
    host.xenstored.start_again();
    host.xenstored.create(&web01(1));
    host.connect_soon("web01").close();
}

#[test]
fn garbage_in_xenstore_is_refused_where_it_stands_and_nowhere_else() {
    let host = Host::start();
    let vm = "/local/domain/2/vm";
    host.xenstored.create(&Domain::new(2, 2, "other"));
    let upper = format!("/vm/{}", uuid(2).to_uppercase());
    let suffix = format!("/vm/{}-1", uuid(2));
    for garbage in [
        b"\xFF\xFE\x00".as_slice(),
        b"",
        b"/vm/",
        b"7e55e2a0",
        upper.as_bytes(),
        suffix.as_bytes(),
        [b'x'; 3_000].as_slice(),
    ] {
        host.xenstored.change(|store| store.write(vm, garbage));
        let error = host.connect("other").expect_err("nobody");
        println!("{error}");
        host.connect("web01").expect("it is well").close();
    }
    host.wait_refused(2, "node \"vm\" of the domain in xenstore is malformed");
    let name = "/local/domain/1/name";
    for garbage in [b"\xFF".as_slice(), b"a\nb", [b'x'; 200].as_slice(), b""] {
        host.xenstored.change(|store| store.write(name, garbage));
        let error = host.connect("web01").expect_err("no name for the audit");
        assert_eq!(error.code, "internal", "{error}");
    }
    host.xenstored.change(|store| store.write(name, b"web01"));
    host.connect_soon("web01").close();
    // What is no domid is no domain.
    host.xenstored.change(|store| {
        for child in ["x", "007", "99999999", "-1"] {
            store.write(&format!("/local/domain/{child}/vm"), b"/vm/x")?;
        }
        Ok(())
    });
    host.connect("web01").expect("it is well").close();
}

#[test]
fn more_domains_than_one_answer_of_xenstored_can_name_are_no_hindrance() {
    // Six bytes for each domid, 4,096 for an answer.
    const FIRST: u16 = 10_000;
    const DOMAINS: u16 = 750;
    let xenstored = Xenstored::start();
    let many = |domid: u16| Domain::new(domid, domid.into(), &format!("guest-{domid}"));
    xenstored.write_all((FIRST..FIRST + DOMAINS).map(many));
    let host = Host::with(xenstored, card(&[]), PATIENT);
    for _ in 0..3 {
        let begun = Instant::now();
        host.connect("web01").expect("one of many").close();
        report("a session among 750 domains", begun.elapsed());
    }
    host.xenstored.create(&web01(FIRST + 700));
    let error = host.connect("web01").expect_err("it has a twin");
    assert_eq!(error.code, "not-bound", "{error}");
    host.wait_refused(1, "domains 1 and 10700 both have UUID");
    host.xenstored.create(&many(FIRST + 700));
    let mut session = host.connect_soon("web01");
    let begun = Instant::now();
    host.xenstored.destroy(1);
    assert!(session.stream.read_to_end_or_reset(), "it is cut off");
    report("destroyed among 750, and cut off", begun.elapsed());
}

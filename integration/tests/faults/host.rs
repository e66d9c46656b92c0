//! A host that has run out of something, whose clock jumps, or whose configuration is wrong.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::fake_clock::FakeClock;
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{self, KeyKind, Pki};
use integration::rogue_guest::RogueGuest;
use integration::{binaries, wait};

use KeyKind::P256;

use crate::NAME;

#[test]
fn a_configuration_that_is_wrong_is_named_and_nothing_starts() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(P256));
    chain.middleware().stop();
    let good = fs::read_to_string(chain.config_file()).expect("it was written");
    let binding = good.find("[[binding]]").expect("it has one");
    let other = "7e55e2a0-0000-4000-8000-00000000000b";
    let another = good.get(binding..).expect("at a border");
    let another = another.replace("7e55e2a0-0000-4000-8000-000000000001", other);
    let domain = format!("[[domain]]\ndomid = 11\nuuid = \"{other}\"\nname = \"web11\"\n");
    let twice = format!("{good}{domain}{another}").replace("shared = false", "shared = true");
    let cases = [
        (
            "unknown key",
            good.replace("pin_file", "pin_fiel"),
            "pin_fiel",
        ),
        (
            "no such limit",
            good.replace("[limits]", "[limits]\nmost = 3"),
            "most",
        ),
        (
            "missing trust",
            good.replace("ca.pem", "no-ca.pem"),
            "no-ca.pem",
        ),
        ("missing PIN", good.replace("se-00.pin", "no.pin"), "no.pin"),
        (
            "one identity for two domains",
            twice,
            "this identity of the card is bound to",
        ),
    ];
    for (what, text, named) in cases {
        assert_ne!(text, good, "{what}");
        let file = pki::write(chain.folder(), "bad.toml", &text);
        let mut command = binaries::middleware();
        let output = command.arg("serve").arg("--config").arg(&file).output();
        let output = output.expect("it is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{what}: {said}");
        assert!(said.contains(named), "{what}: {said}");
    }
}

/// At the limit of file sizes, which plays the full disk, a write fails and no signal comes.
const WITHOUT_SIGXFSZ: [&str; 3] = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];

#[test]
fn without_room_for_the_audit_no_key_leaves_and_with_it_they_do_again() {
    let plan = ChainPlan::single(P256).started_by(&WITHOUT_SIGXFSZ);
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    let connect = |chain: &Chain| chain.guest("web01").connect(server.port(), NAME);
    let other = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    let running = chain.guest("web01").connect(other.port(), NAME);
    let mut running = running.expect("there is room");
    for spare in [Some(0), Some(1), Some(100), None] {
        let established = chain.audited("session-established").len();
        let size = fs::metadata(chain.audit_file()).expect("it is there").len();
        // Without any room the log cannot be written either.
        let most = spare.map_or(1, |spare| size + spare);
        limit(chain.middleware().id(), "fsize", &most.to_string());
        for _ in 0..3 {
            let no = connect(&chain).expect_err("it could not be recorded");
            assert_eq!(no.code, "internal", "{spare:?}: {no}");
        }
        chain.middleware().expect_running();
        running.send(&payload(100));
        assert_eq!(chain.audited("session-established").len(), established);

        limit(chain.middleware().id(), "fsize", "unlimited");
        connect(&chain).expect("there is room again").close();
        assert_eq!(chain.audited("session-established").len(), established + 1);
    }
    assert_eq!(other.receive(400).len(), 400, "what runs goes on");
    let lost = chain.audited("records-lost");
    assert!(!lost.is_empty(), "cards were taken without a record");
    chain.restart_middleware();
    assert!(!chain.audit().is_empty());
}

#[test]
fn without_descriptors_who_is_there_is_served_and_who_comes_waits() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(P256));
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, P256)));
    let connect = |chain: &Chain| chain.guest("web01").connect(server.port(), NAME);
    connect(&chain).expect("a session").close();

    let middleware = chain.middleware().id();
    let start = Instant::now();
    limit(middleware, "nofile", NONE);
    // It says nothing yet: its side of TLS would wait for an answer.
    let mut late = RogueGuest::connect(&chain.door("web01"));
    wait::until("the service says what is wrong", || {
        let log = chain.middleware().log();
        log.contains("cannot accept a guest").then_some(())
    });
    connect(&chain).expect("its connection stands").close();
    limit(middleware, "nofile", ENOUGH);
    late.expect_welcome();
    wait::until("the service says that it is over", || {
        let log = chain.middleware().log();
        log.contains("guests are accepted again").then_some(())
    });
    let said = chain.middleware().log();
    let said = said.matches("cannot accept a guest").count();
    let most = 1 + start.elapsed().as_secs() / 10;
    assert!(said as u64 <= most, "{said} lines in a log, of {most}");

    chain.pull_card();
    chain.wait_card("absent");
    limit(middleware, "nofile", NONE);
    chain.plug_card_in();
    let no = connect(&chain).expect_err("there is no descriptor for the card");
    assert_eq!(no.code, "no-card", "{no}");
    limit(middleware, "nofile", ENOUGH);
    let session = wait::until("the card is let in", || connect(&chain).ok());
    session.close();

    // An application takes one, its TCP connection another.
    let agent = chain.guest("web01").agent_id();
    let no = wait::until("not enough for a connection", || {
        limit(agent, "nofile", &(lowest_free(agent) + 1).to_string());
        match connect(&chain) {
            // Something that was open has closed since.
            Ok(session) => {
                session.close();
                None
            }
            Err(no) => Some(no),
        }
    });
    assert_eq!(no.code, "connect-failed", "{no}");
    assert!(no.message.contains("Too many open files"), "{no}");
    limit(agent, "nofile", ENOUGH);
    connect(&chain).expect("there are some again").close();
    chain.middleware().expect_running();
    assert!(!chain.audit().is_empty());
}

/// What is open stays open, and nothing else can be opened.
const NONE: &str = "0";

/// Descriptors for anything here.
const ENOUGH: &str = "1024";

/// Sets the soft limit of a running process.
fn limit(process: u32, resource: &str, value: &str) {
    let mut command = Command::new("prlimit");
    command.args([
        "--pid",
        &process.to_string(),
        &format!("--{resource}={value}:"),
    ]);
    let output = command.output().expect("util-linux is there: make deps");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "prlimit: {said}");
}

/// The number that the next descriptor of a process gets.
fn lowest_free(process: u32) -> usize {
    let folder = PathBuf::from(format!("/proc/{process}/fd"));
    let is_open = |number: &usize| folder.join(number.to_string()).is_symlink();
    let number = (0..).find(|number| !is_open(number));
    number.expect("there are more numbers than descriptors")
}

#[test]
fn a_clock_that_jumps_expires_certificates_and_nothing_else() {
    let Some(clock) = FakeClock::new() else {
        return;
    };
    // With a token, its right would end as well: see `attacks`.
    let plan = ChainPlan::new()
        .card(CardPlan::new("se-00").identity("web01", P256))
        .guest(GuestPlan::new("web01").bound("se-00", "web01").insecure());
    let plan = plan.started_by(&clock.starter());
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan);
    let credential = pki.server(NAME, P256);
    let plan = ServerPlan::new(&credential);
    for plan in [plan.clone(), plan.tls13()] {
        let server = OpensslServer::start(&pki, &plan);
        let connect = || chain.guest("web01").connect(server.port(), NAME);
        let other = OpensslServer::start(&pki, &plan);
        let running = chain.guest("web01").connect(other.port(), NAME);
        let mut running = running.expect("a session");
        for (offset, is_valid) in [
            ("+3600", true),
            ("-86400", true),
            ("+36500d", false),
            ("-7300d", false),
            ("+0", true),
            ("+36500d", false),
            ("+1", true),
        ] {
            clock.set(offset);
            match connect() {
                Ok(session) => {
                    assert!(is_valid, "{offset}");
                    session.close();
                }
                Err(no) => {
                    assert!(!is_valid, "{offset}: {no}");
                    let is_named = ["peer-untrusted", "handshake-failed"].contains(&&*no.code);
                    assert!(is_named, "{offset}: {no}");
                }
            }
            chain.wait_card("present");
        }
        running.send(&payload(10));
        assert_eq!(other.receive(10), payload(10), "what runs goes on");
    }
    clock.set("+0");
    chain.middleware().expect_running();
    let times: Vec<String> = chain
        .audit()
        .iter()
        .map(|record| record["time"].to_string())
        .collect();
    assert!(
        times.iter().any(|time| time.contains("\"21")),
        "it saw the jump: {times:?}"
    );
}

//! `dom0-middleware doctor` where something is wrong, and where nothing is.

use std::path::Path;
use std::process::{Command, Output};

use integration::binaries;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::pcscd::{Pcscd, READER, enter};
use integration::pki::{KeyKind, Pki};
use integration::wait;
use integration::xenstored::{Domain, Xenstored};
use serde_json::Value;

/// What it found.
struct Findings(Vec<Value>);

impl Findings {
    /// What was found of these checks, and did not go well.
    fn wrong(&self, checks: &str) -> Vec<String> {
        let of_check = |found: &&Value| found["check"].as_str().is_some_and(|c| c.contains(checks));
        let found = self.0.iter().filter(of_check);
        let wrong = found.filter(|found| found["level"] != "ok");
        wrong
            .map(|found| {
                let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
                format!("{} {} -> {}", text("level"), text("message"), text("next"))
            })
            .collect()
    }

    /// That one thing is wrong with these checks, and is said in these words.
    fn expect(&self, checks: &str, words: &[&str]) {
        let wrong = self.wrong(checks);
        let [only] = wrong.as_slice() else {
            panic!("one thing about {checks}: {:#?}", self.0);
        };
        for word in words {
            assert!(only.contains(word), "{word}: {only}");
        }
    }
}

/// Runs the doctor of a host; it has no word in this when it comes to the exit code.
fn doctor(mut command: Command, chain: &Chain, arguments: &[&str]) -> Findings {
    command.args(["doctor", "--json", "--admin"]);
    let output = command
        .arg(chain.admin_socket())
        .args(arguments)
        .output()
        .expect("it is there");
    findings(&output)
}

fn findings(output: &Output) -> Findings {
    let found: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let fails = found.iter().any(|found| found["level"] == "fail");
    assert_eq!(output.status.code(), Some(i32::from(fails)), "{output:?}");
    Findings(found)
}

fn in_namespace(pcscd: u32) -> Command {
    let program = binaries::middleware();
    enter(pcscd, &program.get_program().to_string_lossy())
}

#[test]
fn a_host_in_order_has_nothing_to_repair() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let found = doctor(binaries::middleware(), &chain, &[]);
    // Another test may run a virtual reader on this machine.
    for check in [
        "service",
        "configuration",
        "card",
        "channel",
        "binding",
        "pcscd",
    ] {
        assert!(found.wrong(check).is_empty(), "{check}: {:#?}", found.0);
    }
    let table = chain.admin(&["doctor"]).stdout;
    let table = String::from_utf8(table).expect("text");
    assert!(
        table.contains("ok    card se-00: is ready: web01"),
        "{table}"
    );
}

#[test]
fn a_service_that_does_not_run_is_named_and_its_configuration_looked_at() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    assert!(chain.middleware().stop().success());
    let found = doctor(binaries::middleware(), &chain, &[]);
    found.expect(
        "service",
        &["fail does not answer at", "admin.sock", "serve --config"],
    );
    found.expect("configuration", &["warn not looked at"]);

    std::fs::remove_file(chain.pin_file("se-00")).expect("it was there");
    let config = chain.config_file();
    let config = config.to_str().expect("text");
    let found = doctor(binaries::middleware(), &chain, &["--config", config]);
    found.expect("configuration", &["fail", "se-00.pin", "write that file"]);
}

#[test]
fn who_may_not_ask_is_told_so() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED: only root can become somebody else");
        return;
    }
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    open_to_others(chain.folder());
    // The programs may be where nobody else looks: it runs a copy of its own.
    let copy = chain.folder().join("dom0-middleware");
    std::fs::copy(binaries::middleware().get_program(), &copy).expect("copied");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(copy);
    let found = doctor(command, &chain, &[]);
    found.expect(
        "service",
        &["fail may not be asked", "admin.sock", "as root"],
    );
}

fn open_to_others(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder, mode).expect("our own folder");
}

#[test]
fn a_card_nobody_adopted_and_a_guest_nobody_bound_are_named() {
    let pki = Pki::new();
    let card = CardPlan::new("se-00").identity("web01", KeyKind::P256);
    let plan = ChainPlan::new()
        .card(card.undescribed())
        .guest(GuestPlan::new("web01").bound("se-00", "web01"))
        .guest(GuestPlan::new("stranger"));
    let chain = Chain::start(&pki, &plan);
    chain.wait_card("unusable");
    let found = doctor(binaries::middleware(), &chain, &[]);
    found.expect(
        "card se-00",
        &["fail not adopted", "card adopt se-00 --pin-file FILE"],
    );
    let stranger = found.wrong("stranger.channel.sock");
    assert!(
        stranger[0].contains("fail domain 2 was refused at "),
        "{stranger:?}"
    );
    assert!(stranger[0].contains("not-bound"), "{stranger:?}");
    let status = chain.admin(&["status"]).stdout;
    let status = String::from_utf8(status).expect("text");
    assert!(status.contains("domain 2: last refused "), "{status}");
}

#[test]
fn readers_and_their_daemon_are_looked_at() {
    let pki = Pki::new();
    let mut pcscd = Pcscd::start();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256).in_reader(&pcscd));
    let found = doctor(in_namespace(pcscd.id()), &chain, &[]);
    assert!(found.wrong("card").is_empty(), "{:#?}", found.0);
    assert!(found.wrong("reader").is_empty(), "{:#?}", found.0);
    assert!(found.wrong("pcscd").is_empty(), "{:#?}", found.0);
    // vpcd listens on every address, which nobody should have outside a test.
    let exposed = found.wrong("vpcd");
    let port = format!("fail pcscd listens on 0.0.0.0:{}", pcscd.port());
    assert!(
        exposed.iter().any(|found| found.contains(&port)),
        "{exposed:?}"
    );

    let keeper = chain.middleware().id();
    pcscd.kill();
    chain.wait_card("absent");
    let found = doctor(in_namespace(keeper), &chain, &[]);
    found.expect("pcscd", &["fail does not run: nobody listens", "systemctl"]);
    wait::until("the service says why", || {
        let found = doctor(in_namespace(keeper), &chain, &[]);
        let wrong = found.wrong("card se-00");
        wrong
            .first()?
            .contains("no PC/SC service answers")
            .then_some(())
    });

    pcscd.start_again_without_reader(keeper);
    let no_reader = format!("no reader \"{READER}\"");
    wait::until("the service misses its reader", || {
        let found = doctor(in_namespace(keeper), &chain, &[]);
        found
            .wrong("card se-00")
            .first()?
            .contains(&no_reader)
            .then_some(())
    });
    let found = doctor(in_namespace(keeper), &chain, &[]);
    found.expect("pcscd", &["fail runs and sees no reader"]);
    found.expect(&format!("reader {READER}"), &["card se-00 should be in it"]);

    pcscd.kill();
    pcscd.start_again(keeper);
    chain.wait_card("present");
    let found = doctor(in_namespace(keeper), &chain, &[]);
    assert!(found.wrong("card").is_empty(), "{:#?}", found.0);
}

#[test]
fn xenstored_is_looked_at_where_it_is_asked() {
    let pki = Pki::new();
    let mut xenstored = Xenstored::start();
    xenstored.create(&Domain::new(1, 1, "web01"));
    let plan = ChainPlan::single(KeyKind::P256).on_xenstore(&xenstored);
    // It is there at once or not at all; the machine may be busy.
    let chain = Chain::start(&pki, &plan.limit("domain_read_ms", 5_000));
    let socket = xenstored.socket();
    let look = || {
        let mut command = binaries::middleware();
        command.env("XENSTORED_PATH", &socket);
        doctor(command, &chain, &[])
    };
    assert!(look().wrong("xenstore").is_empty(), "{:#?}", look().0);
    xenstored.kill();
    look().expect(
        "xenstore",
        &["fail xenstored has ended", "restart the host"],
    );
    std::fs::remove_file(&socket).expect("left behind");
    look().expect(
        "xenstore",
        &["fail there is no xenstored", "systemctl start"],
    );
}

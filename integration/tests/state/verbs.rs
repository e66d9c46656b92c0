//! `vm` and `token`, as an operator meets them.

use std::fs;
use std::process::Command;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{self, KeyKind, Pki};
use integration::wait;
use integration::xenstored::{Domain, Xenstored};

use super::{await_service, bind, bound, json, plan, run, uuids};

const NAME: &str = "www.example";

#[test]
fn a_guest_that_is_bound_by_name_gets_sessions_until_it_is_unbound() {
    let pki = Pki::new();
    let card = CardPlan::new("se-00").identity("web01", KeyKind::P256);
    let plan = ChainPlan::new().card(card).guest(
        GuestPlan::new("web01")
            .bound("se-00", "web01")
            .not_yet_bound(),
    );
    let mut chain = Chain::start(&pki, &plan);
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
    let [uuid, _] = uuids();
    chain.wait_card("present");

    let trust = chain.folder().join("trust.pem");
    fs::write(&trust, pki.ca.pem()).expect("written");
    let arguments = [
        "vm",
        "bind",
        "web01",
        "--card",
        "se-00",
        "--trust",
        trust.to_str().expect("UTF-8"),
        "--server-name",
        "*.example",
    ];
    let said = run(&chain, &arguments, 0);
    assert!(
        said.starts_with(&format!("web01 is {uuid}\nbound (change ")),
        "{said}"
    );
    // What the file holds later, or whether it is there, changes nothing.
    fs::remove_file(&trust).expect("there");

    let connect = |chain: &Chain| chain.guest("web01").connect(server.port(), NAME);
    let await_bound = |chain: &Chain| {
        let client = chain.guest("web01").client();
        wait::until("the guest sees its identity", || {
            (client.identities().ok()?.len() == 1).then_some(())
        });
    };
    for _ in 0..2 {
        await_bound(&chain);
        connect(&chain).expect("a session").close();
        let other = chain
            .guest("web01")
            .connect(server.port(), "www.other.test");
        assert_eq!(other.expect_err("not allowed").code, "policy");
        chain.restart_middleware();
        await_service(&mut chain);
        chain.restart_agent("web01");
    }
    let shown = json(&chain, &["vm", "show", "web01"]);
    assert_eq!(shown["uuid"], uuid.as_str());
    assert_eq!(shown["domids"][0], 1);
    assert_eq!(shown["bindings"][0]["origin"], "command");
    assert_eq!(shown["bindings"][0]["server_names"][0], "*.example");

    run(&chain, &["vm", "unbind", &uuid], 0);
    let no = connect(&chain).expect_err("not bound any more");
    assert_eq!(no.code, "not-bound");
    run(&chain, &["vm", "unbind", &uuid], 1);
    chain.restart_middleware();
    await_service(&mut chain);
    assert!(bound(&chain).is_empty());

    let changes: Vec<_> = chain
        .audit()
        .into_iter()
        .filter(|record| record["change"].is_u64())
        .map(|record| (record["change"].clone(), record["event"].clone()))
        .collect();
    let expected = ["card-adopted", "binding-added", "binding-removed"];
    let expected: Vec<_> = (1..)
        .zip(expected)
        .map(|(n, e)| (n.into(), e.into()))
        .collect();
    assert_eq!(changes, expected);
}

#[test]
fn what_may_not_be_bound_is_refused_with_the_reason() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &plan());
    let [a, b] = uuids();
    chain.wait_card("present");
    bind(&chain, "web-a", 0);

    let trust = chain.folder().join("ca.pem");
    let trust = trust.to_str().expect("UTF-8");
    let refused = |code: i32, vm: &str, more: &[&str], why: &str| {
        let trust: &[&str] = match more.contains(&"--trust") {
            true => &[],
            false => &["--trust", trust],
        };
        let said = run(&chain, &[&["vm", "bind", vm], more, trust].concat(), code);
        assert!(said.contains(why), "{more:?}: {said}");
    };
    let shared = ["--card", "se-00", "--shared", "--identity"];
    refused(
        77,
        "web-b",
        &[&shared[..], &["web-a"]].concat(),
        &format!("bound to {a}"),
    );
    refused(
        77,
        "web-b",
        &[&shared[..], &["web-a"]].concat(),
        "on this card: web-a",
    );
    let alone = ["--card", "se-00", "--identity", "web-b"];
    refused(
        77,
        "web-b",
        &alone,
        &format!("web-a ({a}) already; to share it"),
    );
    refused(
        77,
        "web-b",
        &["--card", "se-00", "--shared"],
        "must name their identity",
    );
    refused(69, "web-b", &["--card", "se-99"], "no card_source");
    refused(1, "web-c", &alone, "no domain is called \"web-c\"");
    let twice = ["--card", "se-00", "--card", "se-00"];
    refused(77, &b, &twice, "a card is named twice");
    refused(
        77,
        &b,
        &["--card", "se-00", "--min-version", "1.0"],
        "broken",
    );
    let no_certificate = pki::write(chain.folder(), "no.pem", "hello\n");
    let no_certificate = no_certificate.to_str().expect("UTF-8");
    refused(
        77,
        &b,
        &["--card", "se-00", "--trust", no_certificate],
        "no certificate",
    );
    refused(
        64,
        &b,
        &["--card", "se-00", "--trust", "/no/such.pem"],
        "/no/such.pem",
    );
    assert_eq!(bound(&chain), [a]);
    // Nothing that was refused has left a trace in the numbers.
    let said = run(
        &chain,
        &[
            &["vm", "bind", &b],
            &shared[..],
            &["web-b", "--trust", trust],
        ]
        .concat(),
        0,
    );
    assert!(
        said.starts_with("bound (change 3)\n"),
        "a UUID needs no translation: {said}"
    );
    // What is not on the card may come there; but it may be a slip as well.
    let slip = [
        &["vm", "bind", &b],
        &shared[..],
        &["web-x", "--trust", trust],
    ]
    .concat();
    let said = run(&chain, &slip, 0);
    let note = "note: card se-00 does not hold \"web-x\" now";
    assert!(said.contains(note), "{said}");
}

#[test]
fn what_the_configuration_binds_commands_do_not_change() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let [uuid, other] = uuids();
    let said = run(&chain, &["vm", "unbind", "web01"], 77);
    assert!(said.contains("bound in the configuration"), "{said}");
    let trust = chain.folder().join("ca.pem");
    let trust = trust.to_str().expect("UTF-8");
    let bind = [
        "--card",
        "se-00",
        "--identity",
        "x",
        "--shared",
        "--trust",
        trust,
    ];
    let said = run(&chain, &[&["vm", "bind", "web01"], &bind[..]].concat(), 77);
    assert!(said.contains("bound in the configuration"), "{said}");
    assert_eq!(json(&chain, &["vm", "list"])[0]["origin"], "config");

    // The same domain here and there: the service does not choose.
    let config = fs::read_to_string(chain.config_file()).expect("there");
    fs::write(
        chain.config_file(),
        config.replace("shared = false", "shared = true"),
    )
    .expect("written");
    chain.restart_middleware();
    await_service(&mut chain);
    run(&chain, &[&["vm", "bind", &other], &bind[..]].concat(), 0);
    assert!(chain.middleware().stop().success());
    let twice = config.replace(&format!("vm = \"{uuid}\""), &format!("vm = \"{other}\""));
    assert_ne!(twice, config);
    fs::write(chain.config_file(), twice).expect("written");
    chain.restart_after_kill();
    let status = chain.middleware().await_end();
    assert_eq!(status.code(), Some(78));
    let said = chain.middleware().log();
    assert!(said.contains(&format!("{other} is bound in")), "{said}");
}

#[test]
fn tokens_are_revoked_one_by_one_or_all_of_a_domain() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &plan());
    let [a, _] = uuids();
    let cti = "07".repeat(16);
    run(&chain, &["token", "revoke", &cti], 0);
    let again = json(&chain, &["token", "revoke", &cti]);
    assert!(
        again["change"].is_null() && again["state"] == "revoked",
        "{again}"
    );
    run(&chain, &["token", "revoke", "07"], 77);
    run(&chain, &["token", "revoke"], 64);
    run(&chain, &["token", "revoke", &cti, "--vm", "web-a"], 64);

    let revoke = |before: &str, code| {
        run(
            &chain,
            &["token", "revoke", "--vm", "web-a", "--before", before],
            code,
        )
    };
    let said = revoke("2026-01-01T00:00:00Z", 0);
    assert!(said.starts_with(&format!("web-a is {a}\n")), "{said}");
    assert!(revoke("2025-01-01T00:00:00Z", 77).contains("later"));
    assert!(revoke("2999-01-01T00:00:00Z", 77).contains("to come"));
    revoke("yesterday", 64);
    run(&chain, &["token", "revoke", "--vm", "web-a"], 0);

    let before = (
        json(&chain, &["token", "list"]),
        json(&chain, &["vm", "show", "web-a"]),
    );
    assert_eq!(before.0[0]["cti"], cti.as_str());
    assert!(before.1["tokens_from"].is_string());
    chain.restart_middleware();
    await_service(&mut chain);
    let after = (
        json(&chain, &["token", "list"]),
        json(&chain, &["vm", "show", "web-a"]),
    );
    assert_eq!(before, after);
}

#[test]
fn with_xenstore_a_name_is_whose_it_is_now() {
    let xenstored = Xenstored::start();
    let pki = Pki::new();
    xenstored.create(&Domain::new(1, 1, "web-a"));
    let chain = Chain::start(
        &pki,
        &plan()
            .on_xenstore(&xenstored)
            .limit("domain_read_ms", 5_000),
    );
    let [a, b] = uuids();
    let said = bind(&chain, "web-a", 0);
    assert!(said.starts_with(&format!("web-a is {a}\n")), "{said}");
    // One that is not running has no name, but a UUID.
    bind(&chain, "web-b", 1);
    run(&chain, &["vm", "show", &b], 1);
    xenstored.create(&Domain::new(2, 2, "web-a"));
    let said = run(&chain, &["vm", "unbind", "web-a"], 77);
    assert!(said.contains(&a) && said.contains(&b), "{said}");
    run(&chain, &["vm", "unbind", &a], 0);
    let dom0 = run(&chain, &["vm", "show", "Domain-0"], 1);
    assert!(dom0.contains("no domain is called"), "{dom0}");
}

#[test]
fn without_room_nothing_is_changed_and_the_service_goes_on() {
    let pki = Pki::new();
    let without_sigxfsz = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let mut chain = Chain::start(&pki, &plan().started_by(&without_sigxfsz));
    bind(&chain, "web-a", 0);
    let [a, b] = uuids();
    let middleware = chain.middleware().id();
    let state = chain.folder().join("state.db-wal");
    let audit = chain.audit_file();
    let size = |file: &std::path::Path| fs::metadata(file).expect("there").len();
    // No room for the state, whose log is the longer file; then none for the audit either.
    assert!(size(&state) > size(&audit) + 2_000);
    for most in [size(&state), 1] {
        limit(middleware, &most.to_string());
        let said = run(&chain, &["vm", "unbind", "web-a"], 77);
        assert!(said.contains("nothing was changed"), "{said}");
        bind(&chain, "web-b", 77);
        assert_eq!(bound(&chain), [a.as_str()]);
        chain.middleware().expect_running();
    }
    limit(middleware, "unlimited");
    // What the audit said of changes that were not made is taken back there.
    assert!(!chain.audited("change-failed").is_empty());
    bind(&chain, "web-b", 0);
    run(&chain, &["vm", "unbind", "web-a"], 0);
    chain.restart_middleware();
    await_service(&mut chain);
    assert_eq!(bound(&chain), [b]);
    let status = json(&chain, &["status"]);
    assert!(status["notes"].is_null(), "{status}");
}

fn limit(process: u32, most: &str) {
    let set = Command::new("prlimit")
        .args([
            "--pid",
            &process.to_string(),
            &format!("--fsize={most}:unlimited"),
        ])
        .status();
    assert!(set.expect("util-linux has it").success());
}

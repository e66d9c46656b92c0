//! What operators and programs say: bindings that contradict each other, a socket for programs.

use std::os::unix::fs::PermissionsExt;

use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::pki::{KeyKind, Pki, write};
use integration::process::Process;
use integration::racs_guest::RacsGuest;
use integration::{binaries, wait};

use super::{LIST, OK, json, plan, run, select};

#[test]
fn a_card_is_shared_or_takes_raw_apdus_and_never_both() {
    let card = CardPlan::new("se-00")
        .identity("web-a", KeyKind::P256)
        .identity("web-b", KeyKind::P256);
    let plan = ChainPlan::new()
        .card(card)
        .card(CardPlan::new("se-01").identity("web-a", KeyKind::P256))
        .guest(GuestPlan::new("web-a").without_agent())
        .guest(GuestPlan::new("web-b").without_agent());
    let chain = Chain::start(&Pki::new(), &plan);
    let list = write(chain.folder(), "list.apdus", LIST);
    let other = write(chain.folder(), "other.apdus", "FFFF0000 00A40000\n");
    let none = write(chain.folder(), "none.apdus", "# nothing\n");
    let bad = write(chain.folder(), "bad.apdus", "00A40400\n");
    let ca = chain.folder().join("ca.pem");
    let ca = ca.to_str().expect("UTF-8");
    let bind = |vm: &str, more: &[&str], code: i32| {
        run(
            &chain,
            &[&["vm", "bind", vm, "--trust", ca], more].concat(),
            code,
        )
    };
    let raw = |file: &std::path::Path| ["--raw-apdu".to_owned(), file.display().to_string()];
    let [flag, list] = raw(&list);
    let list = [flag.as_str(), list.as_str()];
    let on = |seid, identity| ["--card", seid, "--identity", identity];
    let (a, b) = (on("se-00", "web-a"), on("se-00", "web-b"));

    for (file, why) in [(&none, "no row"), (&bad, "line 1")] {
        let [flag, file] = raw(file);
        let said = bind("web-a", &[&a[..], &[&flag, &file]].concat(), 77);
        assert!(said.contains(why), "{said}");
    }
    bind("web-a", &[&a[..], &["--shared"], &list].concat(), 64);
    // A card that is shared takes none, nor does a pool that it is in.
    bind("web-a", &[&a[..], &["--shared"]].concat(), 0);
    for vm in ["web-a", "web-b"] {
        let said = bind(vm, &[&b[..], &list].concat(), 77);
        assert!(
            said.contains("shared") || said.contains("--shared"),
            "{said}"
        );
    }
    let pool = ["--card", "se-01", "--card", "se-00", "--identity", "web-b"];
    bind("web-b", &[&pool[..], &list].concat(), 77);
    run(&chain, &["vm", "unbind", "web-a"], 0);
    // One that takes some is not shared, by nobody.
    bind("web-a", &[&a[..], &list].concat(), 0);
    for vm in ["web-a", "web-b"] {
        let said = bind(vm, &[&b[..], &["--shared"]].concat(), 77);
        assert!(
            said.contains("--raw-apdu") || said.contains("--shared"),
            "{said}"
        );
    }
    bind("web-b", &b, 77);
    // It has one list.
    let [flag, other] = raw(&other);
    let said = bind("web-a", &[&b[..], &[&flag, &other]].concat(), 77);
    assert!(said.contains("another list"), "{said}");
    let list = &json(&chain, &["vm", "list"])[0]["raw_apdu"];
    assert_eq!(list[0], "FFFFFF00 00A40400");
}

#[test]
fn bindings_with_lists_are_there_after_a_restart() {
    let plan = ChainPlan::new()
        .card(CardPlan::new("se-00").identity("web01", KeyKind::P256))
        .guest(GuestPlan::new("web01").without_agent());
    let mut chain = Chain::start(&Pki::new(), &plan);
    let list = write(chain.folder(), "list.apdus", LIST);
    let ca = chain.folder().join("ca.pem");
    let (list, ca) = (list.to_str().expect("UTF-8"), ca.to_str().expect("UTF-8"));
    let bind = [
        "vm",
        "bind",
        "web01",
        "--card",
        "se-00",
        "--trust",
        ca,
        "--raw-apdu",
        list,
    ];
    run(&chain, &bind, 0);
    let before = json(&chain, &["vm", "list"]);
    chain.restart_middleware();
    wait::until("the service answers", || {
        chain.admin(&["status"]).status.success().then_some(())
    });
    assert_eq!(json(&chain, &["vm", "list"]), before);
}

#[test]
fn programs_come_to_a_socket_that_is_the_owners_alone() {
    let chain = Chain::start(&Pki::new(), &plan(LIST));
    let socket = chain.folder().join("racs.sock");
    let mut command = binaries::agent();
    command
        .args(["racs", "--config"])
        .arg(chain.agent_config("web01"));
    command.arg("--listen").arg(&socket);
    let mut agent = Process::start_silent("domu-agent-racs", &mut command, chain.folder());
    let connect = || {
        wait::until("it listens", || {
            agent.expect_running();
            RacsGuest::connect(&socket).ok()
        })
    };
    let mut connect = connect;
    let mut first = connect();
    let mode = socket.metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(first.apdu("se-00", &select()), OK);
    let mut second = connect();
    assert_eq!(second.code("POWERON se-00"), "-708 001");
    drop(first);
    wait::until("the card is free", || {
        (second.code("POWERON se-00") == "+008 001").then_some(())
    });
    // A refusal is told in RACS.
    run(&chain, &["token", "revoke", "--vm", "web01"], 0);
    let _ = second.rest();
    let mut third = connect();
    let said = third.rest();
    assert!(
        said.starts_with("BEGIN\r\n-600 000 token-revoked: "),
        "{said}"
    );
    drop((second, third));
    assert!(agent.stop().success());
    assert!(!socket.exists());
}

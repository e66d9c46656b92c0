//! What becomes of a domain that leaves, and of who comes after it.

use std::time::Instant;

use integration::chain::request;
use integration::rogue_guest::{Answer, RogueGuest};
use integration::wait;
use integration::xenstored::{Domain, Xenstored, uuid};
use proto::agent::RefusalCode;

use crate::{CutOff, Host, NAME, PATIENT, card, report, web01};

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

#[test]
fn after_a_reboot_a_domain_gets_in_under_its_new_domid_only() {
    let host = Host::start();
    host.connect("web01").expect("a session").close();
    host.give_first_token_to_other();
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
    wait::until("the guest is refused", || {
        let error = host.connect("web01").expect_err("it has no right");
        (error.code == "bad-token").then_some(())
    });
    let ended = host.chain.audited("domain-ended");
    let reason = ended[0]["reason"].as_str().expect("a text");
    assert!(reason.contains(&uuid(9)), "{reason}");
}

#[test]
fn another_uuid_under_the_domid_of_one_who_has_the_card_gets_no_key() {
    // Two seconds for the handshake.
    let host = Host::with(Xenstored::start(), card(&["--timing", "paper"]), PATIENT);
    std::thread::scope(|scope| {
        let open = scope.spawn(|| host.connect("web01").expect_err("it is somebody else now"));
        wait::until("the handshake runs", || {
            let output = host.chain.admin(&["status", "--json"]);
            let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
            (status["running"] == 1).then_some(())
        });
        // Nobody is told of this: it shows when it is looked at.
        let vm = format!("/vm/{}", uuid(9));
        host.xenstored
            .change(|client| client.write("/local/domain/1/vm", vm.as_bytes()));
        let error = open.join().expect("no panic");
        assert_eq!(error.code, "not-bound", "{error}");
    });
    assert!(host.names().is_empty(), "no key left");
    host.wait_refused(1, &uuid(9));
}

#[test]
fn the_token_of_a_destroyed_domain_is_nothing_to_its_successor() {
    let host = Host::start();
    host.connect("web01").expect("a session").close();
    let door = host.chain.door("web01");
    host.xenstored.destroy(1);
    host.xenstored.create(&Domain::new(1, 9, "successor"));
    // It has got hold of all that its predecessor had: key and token.
    wait::until("the token is refused", || {
        let mut rogue = RogueGuest::connect(&door);
        rogue.say_hello();
        match rogue.answer() {
            Answer::Connection(RefusalCode::BadToken, _) => Some(()),
            // Before the service has heard of the new domain.
            Answer::Connection(RefusalCode::NotBound, _) => None,
            other => panic!("{other:?}"),
        }
    });
    host.wait_refused(1, "the token was issued to");
}

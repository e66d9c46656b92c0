//! Who is let in, and as whom.

use std::time::Instant;

use integration::xenstored::{Domain, Xenstored, uuid};

use crate::{CutOff, Host, PATIENT, card, report, web01};

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
fn what_a_guest_writes_about_itself_changes_nothing() {
    let host = Host::start();
    host.xenstored.create(&Domain::new(2, 2, "other"));
    host.xenstored.change(|client| {
        let first = format!("/vm/{}", uuid(1));
        // Nodes that a toolstack lets the guest write.
        for node in ["data", "attr", "control", "device"] {
            let folder = format!("/local/domain/2/{node}");
            client.write(&folder, b"")?;
            client.set_permissions(&folder, &["n2"])?;
            for (name, value) in [
                ("vm", first.as_str()),
                ("uuid", &uuid(1)),
                ("name", "web01"),
                ("domid", "1"),
                ("tessera/uuid", &uuid(1)),
            ] {
                client.write(&format!("{folder}/{name}"), value.as_bytes())?;
            }
        }
        Ok(())
    });
    let error = host.connect("other").expect_err("it is who it was");
    assert_eq!(error.code, "not-bound", "{error}");
    host.connect("web01").expect("it is the only one").close();
    assert_eq!(host.names(), ["web01"]);
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

//! A xenstored that is dead, hangs, comes late, or holds garbage.

use std::time::{Duration, Instant};

use integration::payload::payload;
use integration::wait;
use integration::xenstored::{Domain, Xenstored, uuid};

use crate::{CutOff, Host, card, report, web01};

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
    let gone = host.wait_xenstore("reconnecting", "nobody listens at");
    // dom0 and the guest, when it answered last.
    assert_eq!(gone["domains"], 2);
    let report = host.chain.admin(&["status"]).stdout;
    let report = String::from_utf8(report).expect("text");
    assert!(report.contains("xenstore    RECONNECTING for "), "{report}");
    session.send(&payload(1_000));
    assert_eq!(host.server.receive(1_000), payload(1_000));
    session.close();

    host.xenstored.start_again();
    host.wait_xenstore("answers", "");
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
    let refuse_some = |host: &Host| {
        // Not many: the server, which serves another one, lets them all wait in line.
        for _ in 0..50 {
            let asked = Instant::now();
            let error = host.connect("web01").expect_err("nobody answers");
            assert_eq!(error.code, "internal", "{error}");
            assert!(asked.elapsed() < Duration::from_secs(5));
        }
    };
    refuse_some(&host);
    wait::until("xenstored is mute for three seconds", || {
        let mute = host.wait_xenstore("mute", "xenstored");
        (mute["for_s"].as_u64() >= Some(3)).then_some(())
    });
    refuse_some(&host);
    let after = descriptors(&mut host);
    println!("descriptors {before}, then {after}");
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

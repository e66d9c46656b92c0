//! `vm list --pending` and `vm approve`: a guest offers a key, the administrator says which one.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use integration::hypervisor::enroll;
use integration::wait;
use integration::xenstored::{Client, Domain, uuid};
use proto::token::ConfirmationKey;
use serde_json::Value;

use crate::delivery::node;
use crate::{Host, PATIENT, card, web01};

/// Where a domain offers its key.
fn offer_node(domid: u16) -> String {
    format!("/local/domain/{domid}/data/tessera/enroll")
}

/// A key that a guest might have.
pub(crate) fn key(number: u8) -> ConfirmationKey {
    ConfirmationKey::Ed25519([number; 32])
}

impl Host {
    /// What `domu-agent enroll` does in a domain.
    pub(crate) fn offer(&self, domid: u16, content: &[u8]) {
        self.xenstored
            .change(|client| client.write(&offer_node(domid), content));
    }

    fn pending(&self) -> Vec<Value> {
        let output = self.chain.admin(&["vm", "list", "--pending", "--json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub(crate) fn approve(&self, vm: &str, fingerprint: &str, more: &[&str]) -> Output {
        let approve = ["vm", "approve", vm, "--fingerprint", fingerprint];
        self.chain.admin(&[&approve[..], more].concat())
    }

    /// That an approval is refused, and why.
    #[track_caller]
    pub(crate) fn refused(&self, vm: &str, key: &ConfirmationKey, code: i32, why: &str) {
        let output = self.approve(vm, &key.fingerprint(), &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(why), "{said}");
    }

    /// The claims of the token of the first UUID in the folder.
    fn token(&self) -> Option<Value> {
        let file = self.chain.tokens_folder();
        let file = file.join(format!("{}.token", uuid(1)));
        file.exists().then(|| show(&file))
    }
}

fn show(file: &Path) -> Value {
    let mut show = integration::binaries::token_tool();
    let output = show.arg("show").arg(file).arg("--json").output();
    serde_json::from_slice(&output.expect("it runs").stdout).expect("JSON")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_guest_is_seen_approved_and_served() {
    let host = Host::start();
    host.chain.wait_card("present");
    assert_eq!(host.pending(), [Value::Null; 0]);
    // The key that its agent has.
    let public = fs::read(enroll(&host.chain.agent_folder("web01"))).expect("made");
    let key = ConfirmationKey::from_pem(&public).expect("a key");
    host.offer(1, &public);

    let pending = host.pending();
    let [domain] = pending.as_slice() else {
        panic!("one domain: {pending:?}");
    };
    assert_eq!(domain["domain"], uuid(1));
    assert_eq!(domain["name"], "web01");
    assert_eq!(domain["domid"], 1);
    assert_eq!(domain["bound"], true);
    assert_eq!(domain["fingerprint"], key.fingerprint());
    let table = host.chain.admin(&["vm", "list", "--pending"]).stdout;
    let table = String::from_utf8_lossy(&table).into_owned();
    assert!(table.contains(&key.fingerprint()), "{table}");

    let approved = json(&host.approve("web01", &key.fingerprint(), &["--days", "3", "--json"]));
    assert_eq!(approved["uuid"], uuid(1));
    let token = host.token().expect("written");
    assert_eq!(token["cti"], approved["cti"]);
    assert_eq!(token["vm"], uuid(1));
    assert_eq!(token["cnf"]["fingerprint"], key.fingerprint());
    let days = token["exp"].as_u64().zip(token["iat"].as_u64());
    assert_eq!(days.map(|(exp, iat)| exp - iat), Some(3 * 86_400));
    assert_eq!(host.pending(), [Value::Null; 0]);

    let issued = host.chain.audited("token-issued");
    assert_eq!(issued.len(), 1);
    assert_eq!(issued[0]["because"], "approved");
    assert_eq!(issued[0]["domain"], uuid(1));
    assert_eq!(issued[0]["cti"], approved["cti"]);
    assert_eq!(issued[0]["channel_key"], key.fingerprint());

    // What the guest reads there is what its agent needs.
    // An empty node is one that is about to be written.
    let text = wait::until("the token is at its node", || {
        let text = host.xenstored.read(&node(1));
        text.filter(|text| !text.is_empty())
    });
    assert_eq!(host.xenstored.permissions(&node(1)), ["n0", "r1"]);
    fs::write(host.chain.token_file("web01"), text).expect("its own file");
    wait::until("the agent shows that token", || {
        let admitted = host.chain.audited("guest-admitted");
        let with_it = |record: &Value| record["token"]["cti"] == approved["cti"];
        admitted.iter().any(with_it).then_some(())
    });
    host.connect("web01").expect("it is served").close();
}

#[test]
fn a_key_that_was_swapped_after_the_list_is_not_approved() {
    let host = Host::start();
    host.chain.wait_card("present");
    host.offer(1, key(1).to_pem().as_bytes());
    assert_eq!(host.pending()[0]["fingerprint"], key(1).fingerprint());
    host.offer(1, key(2).to_pem().as_bytes());
    host.refused("web01", &key(1), 77, "another one than SHA256:");
    assert_eq!(host.token(), None);
    assert_eq!(host.chain.audited("token-issued"), [Value::Null; 0]);
}

#[test]
fn a_guest_that_rewrites_its_key_all_the_time_gets_a_token_for_the_one_that_was_said_or_none() {
    let host = Host::start();
    host.chain.wait_card("present");
    let pems = [1, 2].map(|number| key(number).to_pem());
    let junk = vec![b'x'; 3_000];
    let stop = AtomicBool::new(false);
    let (mut approved, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(&host.xenstored.socket()).expect("it listens");
            while !stop.load(Ordering::Relaxed) {
                for content in [pems[0].as_bytes(), pems[1].as_bytes(), &junk, b""] {
                    client.write(&offer_node(1), content).expect("allowed");
                }
            }
        });
        wait::until("the key is met, and is not", || {
            let output = host.approve("web01", &key(1).fingerprint(), &[]);
            match output.status.code() {
                Some(0) => approved += 1,
                Some(77) => refused += 1,
                other => panic!("{other:?}: {output:?}"),
            }
            for view in host.pending() {
                let said = view.to_string();
                assert!(!said.contains("xxx"), "{said}");
            }
            (approved > 0 && refused > 0).then_some(())
        });
        stop.store(true, Ordering::Relaxed);
    });
    let token = host.token().expect("approved");
    assert_eq!(token["cnf"]["fingerprint"], key(1).fingerprint());
    let issued = host.chain.audited("token-issued");
    assert_eq!(issued.len(), approved);
    for record in issued {
        assert_eq!(record["channel_key"], key(1).fingerprint());
    }
}

#[test]
fn what_is_no_key_is_shown_as_such_and_never_approved() {
    let host = Host::start();
    host.chain.wait_card("present");
    let mut long = key(1).to_pem().into_bytes();
    long.resize(513, b'\n');
    for (content, why) in [
        (long.as_slice(), "513 bytes"),
        (b"\x1b[2Jevil\xFF", "no line"),
        (b"", "no line"),
        (b"-----BEGIN PUBLIC KEY-----\nevil", "no line"),
    ] {
        host.offer(1, content);
        let pending = host.pending();
        let problem = pending[0]["problem"].as_str().expect("a problem");
        assert!(
            problem.contains(why) && !problem.contains("evil"),
            "{problem}"
        );
        assert_eq!(pending[0]["fingerprint"], Value::Null);
        let table = host.chain.admin(&["vm", "list", "--pending"]);
        assert!(!table.stdout.contains(&0x1b) && !table.stdout.contains(&0xFF));
        host.refused("web01", &key(1), 77, "is no key of a channel");
    }
    assert_eq!(host.token(), None);
}

#[test]
fn a_name_means_the_domain_that_has_it_and_the_key_must_still_be_the_one_that_was_said() {
    let host = Host::start();
    host.chain.wait_card("present");
    host.offer(1, key(1).to_pem().as_bytes());
    host.xenstored.create(&Domain::new(2, 2, "web01"));
    host.offer(2, key(2).to_pem().as_bytes());
    // Two of one name.
    host.refused("web01", &key(1), 77, "say the UUID");
    // The name is another one's now, which offers the first one's key besides.
    host.xenstored.rename(&web01(1), "renamed");
    host.refused("web01", &key(1), 77, "is not bound");
    host.offer(2, key(1).to_pem().as_bytes());
    host.refused("web01", &key(1), 77, "is not bound");
    assert_eq!(host.token(), None);
    let pending = host.pending();
    let bound = |domain: &Value| (domain["domid"].clone(), domain["bound"].clone());
    let bound: Vec<_> = pending.iter().map(bound).collect();
    assert_eq!(bound, [(1.into(), true.into()), (2.into(), false.into())]);
    // Under its new name it is the same.
    assert!(
        host.approve("renamed", &key(1).fingerprint(), &[])
            .status
            .success()
    );
}

#[test]
fn approved_twice_there_are_two_tokens_and_the_second_names_the_first() {
    let host = Host::start();
    host.chain.wait_card("present");
    host.offer(1, key(1).to_pem().as_bytes());
    let approve = || json(&host.approve("web01", &key(1).fingerprint(), &["--json"]));
    let (first, second) = (approve(), approve());
    assert_ne!(first["cti"], second["cti"]);
    assert_eq!(first["notes"], Value::Null);
    let note = second["notes"][0].as_str().expect("a note");
    assert!(
        note.contains(first["cti"].as_str().expect("text")),
        "{note}"
    );
    assert_eq!(host.token().expect("written")["cti"], second["cti"]);
    assert_eq!(host.chain.audited("token-issued").len(), 2);
    // Revoked, the key waits again.
    for cti in [&first["cti"], &second["cti"]] {
        let cti = cti.as_str().expect("text");
        assert!(host.chain.admin(&["token", "revoke", cti]).status.success());
    }
    assert_eq!(host.pending()[0]["fingerprint"], key(1).fingerprint());
}

#[test]
fn what_cannot_be_approved_says_what_to_do() {
    let xenstored = integration::xenstored::Xenstored::start();
    let host = Host::with(xenstored, card(&[]), PATIENT);
    host.chain.wait_card("present");
    host.refused(&uuid(7), &key(1), 1, "is not running");
    host.refused("web01", &key(1), 1, "run domu-agent enroll in it");
    host.offer(1, key(1).to_pem().as_bytes());
    host.xenstored.create(&Domain::new(2, 2, "other"));
    host.offer(2, key(1).to_pem().as_bytes());
    host.refused("other", &key(1), 77, "vm bind");
    // Which of the two is it?
    host.xenstored.create(&web01(3));
    host.refused(&uuid(1), &key(1), 77, "both have UUID");
    let twins = host.pending();
    let problem = twins[0]["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("two running domains"), "{twins:?}");
    host.xenstored.destroy(3);
    for bad in ["SHA256:ab", "ab", ""] {
        assert_eq!(host.approve("web01", bad, &[]).status.code(), Some(64));
    }
    let days = ["--days", "401"];
    let output = host.approve("web01", &key(1).fingerprint(), &days);
    assert_eq!(output.status.code(), Some(64));
    // The HV key is gone, which nobody needs until something is signed.
    let hv_key = host.chain.hypervisor().key_file();
    let aside = hv_key.with_extension("aside");
    fs::rename(&hv_key, &aside).expect("there");
    host.refused("web01", &key(1), 77, "the HV key cannot be used");
    fs::rename(&aside, &hv_key).expect("there");
    // Without a folder there is nothing to write it to, so nothing is issued and nothing recorded.
    let folder = host.chain.tokens_folder();
    let moved = folder.with_extension("moved");
    fs::rename(&folder, &moved).expect("there");
    host.refused("web01", &key(1), 77, "cannot be written");
    fs::rename(&moved, &folder).expect("there");
    assert_eq!(host.chain.audited("token-issued"), [Value::Null; 0]);
    assert_eq!(host.token(), None);
    assert!(
        host.approve("web01", &key(1).fingerprint(), &[])
            .status
            .success()
    );
}

#[test]
fn without_the_certificate_of_its_card_nothing_is_approved_until_it_is_given() {
    let xenstored = integration::xenstored::Xenstored::start();
    let host = Host::with(xenstored, card(&[]).undescribed(), PATIENT);
    host.xenstored.create(&Domain::new(2, 2, "other"));
    host.offer(1, key(1).to_pem().as_bytes());
    // Nobody has adopted the card, so nobody has looked into it.
    host.refused("web01", &key(1), 69, "--cert FILE");
    let pin = host.chain.pin_file("se-00");
    let pin = pin.to_str().expect("UTF-8");
    let adopt = ["card", "adopt", "se-00", "--pin-file", pin];
    wait::until("the card can be adopted", || {
        host.chain.admin(&adopt).status.success().then_some(())
    });
    host.chain.wait_card("present");
    assert!(
        host.approve("web01", &key(1).fingerprint(), &[])
            .status
            .success()
    );
}

//! Tokens from the folder to the domains they are for.

use std::fs;

use integration::hypervisor::{Hypervisor, TokenPlan, enroll};
use integration::xenstored::{Domain, uuid};
use integration::{pki, wait};

use crate::{Host, web01};

/// Where a domain reads its token.
pub(crate) fn node(domid: u16) -> String {
    format!("/local/domain/{domid}/tessera/token")
}

impl Host {
    /// Issues a token for the `number`th UUID into the folder, as an administrator does; its text.
    pub(crate) fn issue(&self, number: usize) -> String {
        self.issue_by(self.chain.hypervisor(), number)
    }

    /// The same, signed by this HV.
    pub(crate) fn issue_by(&self, hypervisor: &Hypervisor, number: usize) -> String {
        let plan = TokenPlan {
            vm: &uuid(number),
            certificates: vec![self.chain.certificate_file("se-00", "web01")],
            agent_key: enroll(&self.chain.agent_folder("web01")),
        };
        let folder = self.chain.tokens_folder();
        hypervisor.issue(&plan, &folder);
        let text = fs::read_to_string(folder.join(format!("{}.token", uuid(number))));
        text.expect("written").trim_end().to_owned()
    }

    pub(crate) fn wait_node(&self, domid: u16, expected: Option<&str>) {
        wait::until("the node of a token is as it should be", || {
            (self.xenstored.read(&node(domid)).as_deref() == expected).then_some(())
        });
    }

    fn token_id(&self, number: usize) -> String {
        let file = self.chain.tokens_folder();
        let file = file.join(format!("{}.token", uuid(number)));
        let mut show = integration::binaries::token_tool();
        let output = show.arg("show").arg(file).arg("--json").output();
        let shown: serde_json::Value =
            serde_json::from_slice(&output.expect("it runs").stdout).expect("JSON");
        shown["cti"].as_str().expect("text").to_owned()
    }
}

#[test]
fn a_token_goes_to_its_domain_alone_and_follows_it_over_a_reboot() {
    let host = Host::start();
    host.xenstored.create(&Domain::new(2, 2, "other"));
    let token = host.issue(1);
    host.wait_node(1, Some(&token));
    assert_eq!(host.xenstored.permissions(&node(1)), ["n0", "r1"]);
    let folder = "/local/domain/1/tessera";
    assert_eq!(host.xenstored.permissions(folder), ["n0", "r1"]);
    assert_eq!(host.xenstored.read(&node(2)), None);

    host.xenstored.destroy(1);
    host.xenstored.create(&web01(9));
    host.wait_node(9, Some(&token));
    assert_eq!(host.xenstored.permissions(&node(9)), ["n0", "r9"]);
    // Nothing is left or made under the domid that it had.
    assert_eq!(host.xenstored.read("/local/domain/1"), None);

    // Another one takes its place, and none does.
    let next = host.issue(1);
    assert_ne!(next, token);
    host.wait_node(9, Some(&next));
    let file = host
        .chain
        .tokens_folder()
        .join(format!("{}.token", uuid(1)));
    fs::remove_file(file).expect("there");
    host.wait_node(9, None);
}

#[test]
fn a_revoked_token_is_taken_away_and_the_next_one_is_given() {
    let host = Host::start();
    let token = host.issue(1);
    host.wait_node(1, Some(&token));
    let cti = host.token_id(1);
    assert!(
        host.chain
            .admin(&["token", "revoke", &cti])
            .status
            .success()
    );
    host.wait_node(1, None);
    let next = host.issue(1);
    host.wait_node(1, Some(&next));
    let of_all = ["token", "revoke", "--vm", "web01"];
    assert!(host.chain.admin(&of_all).status.success());
    host.wait_node(1, None);
}

#[test]
fn a_node_that_others_can_use_is_made_anew() {
    let host = Host::start();
    for who in [&["b1"][..], &["n0", "r1", "r2"], &["r0", "r1"], &["n1"]] {
        host.xenstored.change(|client| {
            client.write(&node(1), b"junk")?;
            client.set_permissions(&node(1), who)
        });
        let token = host.issue(1);
        host.wait_node(1, Some(&token));
        assert_eq!(host.xenstored.permissions(&node(1)), ["n0", "r1"]);
    }
}

#[test]
fn what_stands_there_at_start_is_taken_away_or_made_anew() {
    let mut host = Host::start();
    let token = host.issue(1);
    host.wait_node(1, Some(&token));
    host.chain.middleware().kill();
    // Of a domain that has ended; of one that has no token, and is not bound; of one that has its
    // domid from another, whose token is still there, for everybody to read.
    host.xenstored.create(&Domain::new(2, 2, "other"));
    host.xenstored.create(&Domain::new(4, 4, "successor"));
    let successors = host.issue(4);
    let domain_1 = "/local/domain/1";
    host.xenstored.destroy(1);
    host.xenstored.change(|client| {
        for (domid, who) in [(1, "r1"), (2, "r2"), (4, "r0")] {
            client.write(&node(domid), token.as_bytes())?;
            client.set_permissions(&node(domid), &["n0", who])?;
        }
        client.set_permissions(&node(4), &["r0"])
    });
    assert!(host.xenstored.read(domain_1).is_some());
    host.chain.restart_after_kill();
    host.wait_node(4, Some(&successors));
    assert_eq!(host.xenstored.permissions(&node(4)), ["n0", "r4"]);
    host.wait_node(2, None);
    host.wait_node(1, None);
    assert_eq!(host.xenstored.read(domain_1), None);
    // Under the domid that it has now, the first one finds its own.
    host.xenstored.create(&web01(9));
    host.wait_node(9, Some(&token));
    let status = host.chain.admin(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["tokens"]["given"], 2, "{status}");
}

#[test]
fn a_file_that_is_not_good_is_named_once_and_disturbs_no_other() {
    let mut host = Host::start();
    host.xenstored.create(&Domain::new(2, 2, "other"));
    let folder = host.chain.tokens_folder();
    // Whole at once: a file that is being written would be named as well.
    let put = |name: &str, text: &str| {
        let beside = pki::write(host.chain.folder(), name, text);
        fs::rename(beside, folder.join(name)).expect("writable");
    };
    put(&format!("{}.token", uuid(2)), "no token");
    put("web01.token", "junk");
    // One of the first domain under the name of the third.
    let token = host.issue(1);
    put(&format!("{}.token", uuid(3)), &token);
    host.wait_node(1, Some(&token));
    let next = host.issue(1);
    host.wait_node(1, Some(&next));
    assert_eq!(host.xenstored.read(&node(2)), None);
    // The administrator sees it as long as it is so.
    let status = host.chain.admin(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["tokens"]["given"], 1, "{status}");
    let problems = status["tokens"]["problems"].as_array().map(Vec::len);
    assert_eq!(problems, Some(3), "{status}");
    let doctor = host.chain.admin(&["doctor"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.contains("WARN  tokens: "), "{doctor}");
    let log = host.chain.middleware().log();
    for (file, reason) in [
        (uuid(2), "not base64url"),
        ("web01.token".to_owned(), "its name is not a UUID"),
        (uuid(3), "the token is for"),
    ] {
        let lines = log.lines();
        let lines: Vec<&str> = lines
            .filter(|line| line.contains("a token is given to nobody") && line.contains(&file))
            .collect();
        assert_eq!(lines.len(), 1, "{file}: {log}");
        assert!(lines[0].contains(reason), "{}", lines[0]);
    }
}

#[test]
fn after_xenstored_was_restarted_each_domain_has_its_token_again() {
    let mut host = Host::start();
    let token = host.issue(1);
    host.wait_node(1, Some(&token));
    host.xenstored.kill();
    host.xenstored.start_again();
    host.xenstored.create(&web01(1));
    host.wait_node(1, Some(&token));
    assert_eq!(host.xenstored.permissions(&node(1)), ["n0", "r1"]);
}

#[test]
fn a_mute_xenstored_holds_up_no_session_and_the_token_comes_later() {
    let host = Host::start();
    host.xenstored.freeze();
    let token = host.issue(1);
    // The operator's door answers meanwhile, and says that xenstored does not.
    let said = host.chain.admin(&["status"]);
    assert!(said.status.success(), "{said:?}");
    host.xenstored.thaw();
    host.wait_node(1, Some(&token));
}

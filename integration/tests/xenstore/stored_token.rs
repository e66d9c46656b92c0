//! An agent whose token comes through xenstore, and one that hands in its key there.
//!
//! To a xenstored without Xen everybody is dom0: what an agent calls its own is `/local/domain/0`.

use std::time::Instant;

use domu_agent::client::Dom0Status;
use integration::binaries;
use integration::chain::{ChainPlan, GuestPlan};
use integration::payload::payload;
use integration::wait;
use integration::xenstored::Xenstored;
use tempfile::TempDir;
use xenstore_client::Xenstore;

use crate::{Host, NAME, card, report, web01};

const TOKEN: &str = "/local/domain/0/tessera/token";
const ENROLL: &str = "/local/domain/0/data/tessera/enroll";

impl Host {
    /// A guest that is bound and has everything but its token.
    fn without_token() -> Self {
        let xenstored = Xenstored::start();
        xenstored.create(&web01(1));
        let guest = GuestPlan::new("web01").bound("se-00", "web01");
        let plan = ChainPlan::new()
            .card(card(&[]))
            .guest(guest.token_from(&xenstored));
        Self::planned(xenstored, &plan)
    }

    /// Puts the token that was issued last where the agent looks.
    fn put_token(&self) {
        let token = std::fs::read(self.chain.token_file("web01")).expect("issued");
        self.put(&token);
    }

    fn put(&self, content: &[u8]) {
        self.xenstored.change(|store| store.write(TOKEN, content));
    }

    fn dom0(&self) -> Dom0Status {
        let status = self.chain.guest("web01").client().status();
        status.expect("the agent answers").dom0
    }

    /// Waits until the agent says so.
    fn wait(&self, what: &str, is_so: impl Fn(&Dom0Status) -> bool) -> Dom0Status {
        wait::until(what, || Some(self.dom0()).filter(&is_so))
    }

    /// Waits until dom0 has let the agent in, and the card is there.
    fn wait_let_in(&self) {
        let guest = self.chain.guest("web01");
        wait::until("the agent is let in", || {
            let identities = guest.client().identities().ok()?;
            (!identities.is_empty()).then_some(())
        });
    }

    fn converse(&self) {
        self.chain.guest("web01").converse(&self.server, NAME);
    }
}

fn says(dom0: &Dom0Status, words: &str) -> bool {
    dom0.last_error
        .as_ref()
        .is_some_and(|error| error.contains(words))
}

#[test]
fn a_token_in_xenstore_is_taken_at_once_and_so_is_the_next() {
    let host = Host::without_token();
    let dom0 = host.dom0();
    assert_eq!(dom0.token_place.as_deref(), Some("xenstore, tessera/token"));
    assert!(says(&dom0, "there is no token for this domain"), "{dom0:?}");

    // As dom0 does it: empty first, so that nobody reads it before it is for the guest alone.
    host.put(b"");
    let put = Instant::now();
    host.put_token();
    host.wait_let_in();
    report(
        "a token in xenstore, and the agent is let in",
        put.elapsed(),
    );
    host.converse();

    let session = host.connect("web01");
    let session = session.expect("a session");
    host.chain.issue_tokens();
    host.put_token();
    wait::until("the next token is shown", || {
        host.chain
            .guest("web01")
            .log()
            .contains("new token")
            .then_some(())
    });
    assert!(host.dom0().connected);
    session.close();
}

#[test]
fn what_is_no_token_is_said_and_changes_nothing() {
    let host = Host::without_token();
    host.put_token();
    host.wait_let_in();
    for garbage in [
        b"not base64url!".as_slice(),
        b"\xFF\x00\xFE",
        &[b'A'; 3_900],
    ] {
        host.put(garbage);
        let dom0 = host.wait("the agent says so", |dom0| {
            says(dom0, "xenstore, tessera/token")
        });
        assert!(dom0.connected, "{dom0:?}");
        host.converse();
        host.put_token();
        host.wait("it is taken", |dom0| dom0.last_error.is_none());
    }
}

#[test]
fn a_xenstored_that_ends_or_hangs_leaves_the_agent_as_it_is() {
    let mut host = Host::without_token();
    host.put_token();
    host.wait_let_in();
    let session = host.connect("web01");
    let mut session = session.expect("a session");
    host.xenstored.freeze();
    session.send(&payload(100));
    assert_eq!(host.server.receive(100), payload(100));
    host.xenstored.thaw();
    host.xenstored.kill();
    session.send(&payload(200));
    assert_eq!(host.server.receive(200), payload(200));
    assert!(host.dom0().connected);

    // A new one knows nothing until somebody writes it again; dom0 needs it too.
    host.xenstored.start_again();
    host.xenstored.create(&web01(1));
    host.chain.issue_tokens();
    host.put_token();
    session.close();
    wait::until("the agent is let in again", || {
        let again = host.connect("web01");
        again.ok().map(|session| session.close())
    });
}

#[test]
fn an_agent_that_starts_while_xenstored_hangs_gets_its_token_later() {
    let mut host = Host::without_token();
    host.put_token();
    host.wait_let_in();
    host.xenstored.freeze();
    host.chain.restart_agent("web01");
    host.wait("it says what it waits for", |dom0| {
        says(dom0, "xenstored does not answer")
    });
    host.xenstored.thaw();
    host.wait_let_in();
    host.converse();
}

#[test]
fn a_new_key_is_handed_in_where_dom0_looks_for_it() {
    let xenstored = Xenstored::start();
    let folder = TempDir::new().expect("a temporary folder");
    let enroll = |socket: &std::path::Path| {
        let mut command = binaries::agent();
        command
            .args(["enroll", "--json", "--out"])
            .arg(folder.path());
        let output = command.env("XENSTORED_PATH", socket).output();
        let output = output.expect("the program runs");
        assert!(output.status.success(), "{output:?}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (said, String::from_utf8(output.stderr).expect("text"))
    };
    let nowhere = folder.path().join("nowhere");
    let (said, next) = enroll(&nowhere);
    assert_eq!(said["xenstore_node"], serde_json::Value::Null);
    assert!(next.contains("token-tool issue"), "{next}");
    assert!(!next.contains("xenstore"), "{next}");

    let (said, next) = enroll(&xenstored.socket());
    assert_eq!(said["xenstore_node"], "data/tessera/enroll");
    let fingerprint = said["fingerprint"].as_str().expect("text");
    for words in [
        "dom0-middleware vm list --pending",
        &format!("vm approve VM --fingerprint {fingerprint}"),
    ] {
        assert!(next.contains(words), "{next}");
    }
    let stands = runtime().block_on(async {
        let store = Xenstore::connect_to(&xenstored.socket())
            .await
            .expect("it listens");
        store.read(ENROLL).await.expect("it answers")
    });
    assert_eq!(
        stands.as_deref(),
        said["public_key"].as_str().map(str::as_bytes)
    );
}

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime")
}

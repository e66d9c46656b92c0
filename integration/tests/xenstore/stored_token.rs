//! An agent whose token comes through xenstore, and one that hands in its key there.
//!
//! To a xenstored without Xen everybody is dom0: what an agent calls its own is `/local/domain/0`.

use std::time::Instant;

use domu_agent::client::Dom0Status;
use integration::binaries;
use integration::chain::{CardPlan, Chain, ChainPlan, GuestPlan};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::wait;
use integration::xenstored::Xenstored;
use tempfile::TempDir;
use xenstore_client::Xenstore;

use crate::{NAME, report, web01};

const TOKEN: &str = "/local/domain/0/tessera/token";
const ENROLL: &str = "/local/domain/0/data/tessera/enroll";

struct Rig {
    chain: Chain,
    server: OpensslServer,
    xenstored: Xenstored,
}

impl Rig {
    /// A guest that is bound and has everything but its token.
    fn start() -> Self {
        let (pki, xenstored) = (Pki::new(), Xenstored::start());
        xenstored.create(&web01(1));
        let guest = GuestPlan::new("web01").bound("se-00", "web01");
        let plan = ChainPlan::new()
            .card(CardPlan::new("se-00").identity("web01", KeyKind::P256))
            .guest(guest.token_from(&xenstored));
        let chain = Chain::start(&pki, &plan);
        let credential = pki.server(NAME, KeyKind::P256);
        let server = OpensslServer::start(&pki, &ServerPlan::new(&credential));
        Self {
            chain,
            server,
            xenstored,
        }
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
    let rig = Rig::start();
    let dom0 = rig.dom0();
    assert_eq!(dom0.token_place.as_deref(), Some("xenstore, tessera/token"));
    assert!(says(&dom0, "there is no token for this domain"), "{dom0:?}");

    // As dom0 does it: empty first, so that nobody reads it before it is for the guest alone.
    rig.put(b"");
    let put = Instant::now();
    rig.put_token();
    rig.wait_let_in();
    report(
        "a token in xenstore, and the agent is let in",
        put.elapsed(),
    );
    rig.converse();

    let session = rig.chain.guest("web01").connect(rig.server.port(), NAME);
    let session = session.expect("a session");
    rig.chain.issue_tokens();
    rig.put_token();
    wait::until("the next token is shown", || {
        rig.chain
            .guest("web01")
            .log()
            .contains("new token")
            .then_some(())
    });
    assert!(rig.dom0().connected);
    session.close();
}

#[test]
fn what_is_no_token_is_said_and_changes_nothing() {
    let rig = Rig::start();
    rig.put_token();
    rig.wait_let_in();
    for garbage in [
        b"not base64url!".as_slice(),
        b"\xFF\x00\xFE",
        &[b'A'; 3_900],
    ] {
        rig.put(garbage);
        let dom0 = rig.wait("the agent says so", |dom0| {
            says(dom0, "xenstore, tessera/token")
        });
        assert!(dom0.connected, "{dom0:?}");
        rig.converse();
        rig.put_token();
        rig.wait("it is taken", |dom0| dom0.last_error.is_none());
    }
}

#[test]
fn a_xenstored_that_ends_or_hangs_leaves_the_agent_as_it_is() {
    let mut rig = Rig::start();
    rig.put_token();
    rig.wait_let_in();
    let session = rig.chain.guest("web01").connect(rig.server.port(), NAME);
    let mut session = session.expect("a session");
    rig.xenstored.freeze();
    session.send(&payload(100));
    assert_eq!(rig.server.receive(100), payload(100));
    rig.xenstored.thaw();
    rig.xenstored.kill();
    session.send(&payload(200));
    assert_eq!(rig.server.receive(200), payload(200));
    assert!(rig.dom0().connected);

    // A new one knows nothing until somebody writes it again; dom0 needs it too.
    rig.xenstored.start_again();
    rig.xenstored.create(&web01(1));
    rig.chain.issue_tokens();
    rig.put_token();
    session.close();
    wait::until("the agent is let in again", || {
        let again = rig.chain.guest("web01").connect(rig.server.port(), NAME);
        again.ok().map(|session| session.close())
    });
}

#[test]
fn an_agent_that_starts_while_xenstored_hangs_gets_its_token_later() {
    let mut rig = Rig::start();
    rig.put_token();
    rig.wait_let_in();
    rig.xenstored.freeze();
    rig.chain.restart_agent("web01");
    rig.wait("it says what it waits for", |dom0| {
        says(dom0, "xenstored does not answer")
    });
    rig.xenstored.thaw();
    rig.wait_let_in();
    rig.converse();
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

//! Both ends of a channel as programs: each kind of HV key, pins, and tokens that change.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use domu_agent::client::{Client, Dom0Status};
use integration::chain::{Chain, ChainPlan};
use integration::hypervisor::enroll;
use integration::openssl::{OpensslServer, ServerPlan};
use integration::pki::{KeyKind, Pki};
use integration::process::Process;
use integration::{binaries, pki, wait};
use serde_json::Value;
use tempfile::TempDir;

const UUID: &str = "7e55e2a0-0000-4000-8000-000000000007";
const NAME: &str = "www.example";

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the program is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

/// A host without cards, and one guest that is bound to nothing: who they are to each other is all
/// there is to say.
struct Pair {
    // Before the folder, so that both end before their files go.
    agent: Process,
    middleware: Process,
    folder: TempDir,
}

impl Pair {
    /// With what `keygen` is told, and more of `[[hv]]`, where the key may be changed before.
    fn start(keygen: &[&str], hv: &str, prepare: impl Fn(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        let at = |name: &str| path.join(name);
        let mut command = binaries::token_tool();
        command.args(["keygen", "--name", "host one", "--out"]);
        run(command.arg(at("hv")).args(keygen));
        let mut command = binaries::token_tool();
        command.args(["issue", "--vm", UUID, "--hv-cert"]);
        command.arg(at("hv/hv.cert.pem")).arg("--hv-key");
        command.arg(at("hv/hv.key.pem")).arg("--vm-cert");
        command.arg(at("hv/hv.cert.pem")).arg("--agent-key");
        command.arg(enroll(&at("agent"))).arg("--out");
        run(command.arg(at("agent/token")));
        prepare(path);
        let text = format!(
            "[service]\nadmin_socket = {:?}\naudit_file = {:?}\nstate_file = {:?}\n\
             [[hv]]\ncert = {:?}\nkey = {:?}\n{hv}\n\
             [[domain]]\ndomid = 7\nuuid = \"{UUID}\"\nname = \"web01\"\n\
             [[channel]]\nkind = \"unix\"\npath = {:?}\ndomid = 7\n",
            at("admin.sock"),
            at("audit.jsonl"),
            at("state.db"),
            at("hv/hv.cert.pem"),
            at("hv/hv.key.pem"),
            at("channel.sock"),
        );
        let config = pki::write(path, "dom0-middleware.toml", &text);
        let mut command = binaries::middleware();
        command.arg("serve").arg("--config").arg(config);
        let mut middleware = Process::start_silent("dom0-middleware", &mut command, path);
        wait::until("the channel", || {
            middleware.expect_running();
            at("channel.sock").exists().then_some(())
        });
        let certificate = std::fs::read(at("hv/hv.cert.pem")).expect("made");
        let certificate = proto::hv::HvCertificate::from_pem(&certificate).expect("made");
        let agent = start_agent(path, &certificate.id().to_string());
        Self {
            agent,
            middleware,
            folder,
        }
    }

    fn restart_agent(&mut self, pin: &str) {
        self.agent.kill();
        self.agent = start_agent(self.folder.path(), pin);
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("agent.sock")
    }

    /// What the agent says of dom0 once that is `as_wished`.
    fn wait(&self, what: &str, as_wished: impl Fn(&Dom0Status) -> bool) -> Dom0Status {
        wait::until(what, || {
            let status = Client::new(self.socket()).status().ok()?;
            Some(status.dom0).filter(|dom0| as_wished(dom0))
        })
    }

    /// The guest is known and told that it is bound to nothing: TLS and token are good.
    fn expect_known(&self) {
        let dom0 = self.wait("dom0's no", |dom0| dom0.last_refusal.is_some());
        let refusal = dom0.last_refusal.expect("just seen");
        assert_eq!(refusal.code, "not-bound", "{refusal}");
        assert_eq!(dom0.channel, "tls");
    }
}

fn start_agent(folder: &Path, pin: &str) -> Process {
    let at = |name: &str| folder.join(name);
    let text = format!(
        "[dom0]\nkind = \"unix\"\npath = {:?}\nkey_file = {:?}\ntoken_file = {:?}\n\
         hv_pins = [\"{pin}\"]\n[agent]\nsocket = {:?}\n",
        at("channel.sock"),
        at("agent/channel.key.pem"),
        at("agent/token"),
        at("agent.sock"),
    );
    let config = pki::write(folder, "domu-agent.toml", &text);
    let mut command = binaries::agent();
    command.arg("serve").arg("--config").arg(config);
    Process::start_silent("domu-agent", &mut command, folder)
}

#[test]
fn each_kind_of_hv_key_vouches_for_its_host() {
    for algorithm in ["rsa3072", "p256", "ed25519"] {
        let pair = Pair::start(&["--alg", algorithm], "", |_| ());
        pair.expect_known();
    }
}

#[test]
fn the_hv_key_may_be_encrypted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let passphrase = pki::write_secret(folder.path(), "passphrase", "open sesame\n");
    let hv = format!("passphrase_file = {passphrase:?}");
    let pair = Pair::start(&["--alg", "p256"], &hv, |path| {
        let (plain, key) = (path.join("plain.pem"), path.join("hv/hv.key.pem"));
        std::fs::rename(&key, &plain).expect("made");
        let mut command = Command::new("openssl");
        command.args(["pkcs8", "-topk8", "-v2", "aes256", "-in"]);
        command.arg(&plain).arg("-out").arg(&key).arg("-passout");
        run(command.arg(format!("file:{}", passphrase.display())));
        let text = std::fs::read_to_string(&key).expect("written");
        assert!(text.contains("ENCRYPTED"), "{text}");
        let mut chmod = Command::new("chmod");
        run(chmod.arg("600").arg(&key));
    });
    pair.expect_known();
}

#[test]
fn a_host_that_is_not_pinned_gets_no_token_and_is_named() {
    let mut pair = Pair::start(&["--alg", "p256"], "", |_| ());
    pair.expect_known();
    let pin = std::fs::read(pair.folder.path().join("hv/hv.cert.pem")).expect("made");
    let pin = proto::hv::HvCertificate::from_pem(&pin).expect("made");
    let pin = pin.id().to_string().replace("hv:sha256:", "SHA256:");
    pair.restart_agent(&"ab".repeat(32));
    let dom0 = pair.wait("the agent's no", |dom0| dom0.last_error.is_some());
    let error = dom0.last_error.clone().expect("just seen");
    assert!(error.contains(&pin) && error.contains("hv_pins"), "{error}");
    assert!(!dom0.connected && dom0.last_refusal.is_none(), "{dom0:?}");
    // As applications see it.
    let mut command = binaries::agent();
    command.args(["identities", "--agent"]).arg(pair.socket());
    let output = command.output().expect("the program is there");
    assert_eq!(output.status.code(), Some(77));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("dom0-untrusted"), "{said}");
    pair.middleware.expect_running();
}

#[test]
fn a_revoked_token_is_told_and_a_new_one_taken_up_without_a_restart() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let credential = pki.server(NAME, KeyKind::P256);
    let server = OpensslServer::start(&pki, &ServerPlan::new(&credential).tls13());
    let guest = chain.guest("web01");
    let mut session = guest.connect(server.port(), NAME).expect("a session");
    let dom0 = guest.client().status().expect("it answers").dom0;
    assert_eq!(dom0.hv_pin, Some(chain.hypervisor().pin()));
    assert!(dom0.token_expires.is_some() && dom0.revoked.is_none());

    let token = chain.door("web01").token;
    let (_, claims) = proto::token::decode(&token).expect("issued");
    let output = chain.admin(&["token", "revoke", &proto::hex::encode(&claims.cti)]);
    assert!(output.status.success(), "{output:?}");
    assert!(session.read_to_end().is_empty(), "its connection is shut");
    let status = wait::until("the agent says so", || {
        let mut command = binaries::agent();
        command.args(["status", "--json", "--agent"]);
        let output = command.arg(guest.socket()).output().ok()?;
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        (!status["dom0"]["revoked"].is_null()).then_some(status)
    });
    assert_eq!(status["dom0"]["revoked"], "token-revoked");
    let refused = guest.connect(server.port(), NAME).expect_err("no right");
    assert_eq!(refused.code, "token-revoked");

    chain.issue_tokens();
    wait::until("the new token is taken", || {
        let dom0 = guest.client().status().ok()?.dom0;
        (dom0.connected && dom0.revoked.is_none()).then_some(())
    });
    guest.converse(&server, NAME);
}

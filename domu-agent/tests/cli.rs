//! The program as a user meets it: exit codes, and what goes where.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_domu-agent"));
    command
        .args(args)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().expect("the program runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An agent without dom0; killed when dropped.
struct Agent {
    child: Child,
    dir: tempfile::TempDir,
}

impl Agent {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (dom0, socket) = (dir.path().join("dom0.sock"), dir.path().join("agent.sock"));
        let config = dir.path().join("domu-agent.toml");
        let text = format!(
            "[dom0]\nkind = \"unix\"\npath = {dom0:?}\ninsecure_development = true\n[agent]\nsocket = {socket:?}\n"
        );
        std::fs::write(&config, text).expect("writable");
        let mut child = command(&["serve", "--config", path(&config)])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let lines = BufReader::new(child.stderr.as_mut().expect("piped")).lines();
        let ready = lines
            .map_while(Result::ok)
            .any(|line| line.contains("ready"));
        assert!(ready, "the agent ended before it was ready");
        Self { child, dir }
    }

    fn socket(&self) -> String {
        path(&self.dir.path().join("agent.sock")).to_owned()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().expect("ours to wait for");
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn mistakes_in_the_command_line_are_64_and_help_is_not_one() {
    for args in [&[][..], &["fly"], &["connect", "a.example"], &["serve"]] {
        assert_eq!(run(args).status.code(), Some(64), "{args:?}");
    }
    for args in ["--help", "--version"] {
        let output = run(&[args]);
        assert_eq!(output.status.code(), Some(0), "{args}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}

#[test]
fn a_bad_configuration_is_78_and_names_file_and_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("bad.toml");
    std::fs::write(&config, "[dom0]\nkind = \"unix\"\npath = \"x\"\npaht = 1\n").expect("writable");
    for file in [config.as_path(), Path::new("/nowhere/domu-agent.toml")] {
        let output = run(&["serve", "--config", path(file)]);
        assert_eq!(output.status.code(), Some(78));
        assert!(stderr(&output).contains(path(file)), "{}", stderr(&output));
    }
    let output = run(&["serve", "--config", path(&config)]);
    assert!(stderr(&output).contains("paht"), "{}", stderr(&output));
}

#[test]
fn racs_needs_a_configuration_and_a_channel_with_tls() {
    let output = run(&["racs", "--config", "/nowhere/domu-agent.toml"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).contains("/nowhere/domu-agent.toml"));
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("insecure.toml");
    let text = "[dom0]\nkind = \"unix\"\npath = \"/nowhere\"\ninsecure_development = true\n";
    std::fs::write(&config, text).expect("writable");
    let output = run(&["racs", "--config", path(&config)]);
    assert_eq!(output.status.code(), Some(78));
    let said = stderr(&output);
    assert!(said.contains("insecure_development"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn an_agent_that_is_not_there_is_69() {
    for command in ["status", "identities"] {
        let output = run(&[command, "--agent", "/nowhere/agent.sock"]);
        assert_eq!(output.status.code(), Some(69));
        assert!(stderr(&output).contains("/nowhere/agent.sock"));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn without_dom0_status_is_not_so_and_the_rest_is_unavailable() {
    let agent = Agent::start();
    let socket = agent.socket();
    let status = run(&["status", "--json", "--agent", &socket]);
    assert_eq!(status.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(json["dom0"]["connected"], false);
    assert_eq!(json["sessions"]["running"], 0);

    let identities = run(&["identities", "--agent", &socket]);
    assert_eq!(identities.status.code(), Some(69));
    assert!(stderr(&identities).contains("dom0-unavailable"));

    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("bound").to_string();
    let connect = run(&["connect", &address, "--agent", &socket]);
    assert_eq!(connect.status.code(), Some(69));
    assert!(stderr(&connect).contains("dom0-unavailable"));
    assert!(connect.stdout.is_empty());

    drop(server);
    let connect = run(&["connect", &address, "--agent", &socket]);
    assert_eq!(connect.status.code(), Some(69));
    assert!(stderr(&connect).contains("connect-failed"));
}

#[test]
fn a_second_agent_on_the_same_socket_is_78() {
    let agent = Agent::start();
    let config = agent.dir.path().join("domu-agent.toml");
    let output = run(&["serve", "--config", path(&config)]);
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).contains("another agent is running"));
}

#[test]
fn a_signal_ends_the_agent_in_order() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut agent = Agent::start();
        let pid = i32::try_from(agent.child.id()).expect("a process number");
        kill(Pid::from_raw(pid), signal).expect("ours");
        let status = agent.child.wait().expect("ours");
        assert_eq!(status.code(), Some(0));
        assert!(!Path::new(&agent.socket()).exists());
    }
}

#[test]
fn enroll_makes_a_key_once_and_shows_its_public_part_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = dir.path().join("domu-agent");
    let out = path(&folder);
    let first = run(&["enroll", "--out", out, "--alg", "p256"]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let public = String::from_utf8(first.stdout.clone()).expect("PEM");
    assert!(
        public.starts_with("-----BEGIN PUBLIC KEY-----\n"),
        "{public}"
    );
    let said = stderr(&first);
    assert!(
        said.contains("new key") && said.contains("SHA256:"),
        "{said}"
    );
    assert!(said.contains("token-tool issue"), "{said}");

    let again = run(&["enroll", "--out", out]);
    assert_eq!(
        (again.status.code(), &again.stdout),
        (Some(0), &first.stdout)
    );
    assert!(stderr(&again).contains("key that was there"));
    let json = run(&["enroll", "--out", out, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["public_key"], public);
    assert_eq!(json["new"], false);

    let other = run(&["enroll", "--out", out, "--alg", "ed25519"]);
    assert_eq!(other.status.code(), Some(78));
    assert!(stderr(&other).contains("P-256"), "{}", stderr(&other));
    let nowhere = run(&["enroll", "--out", "/nowhere/at/all"]);
    assert_eq!(nowhere.status.code(), Some(78));
    let said = stderr(&nowhere);
    assert!(said.contains("/nowhere/at/all: No such file"), "{said}");
}

#[test]
fn a_channel_key_that_is_missing_or_exposed_is_78_with_the_next_step() {
    let dir = tempfile::tempdir().expect("a directory");
    let (config, key) = (
        dir.path().join("a.toml"),
        dir.path().join("channel.key.pem"),
    );
    let pin = "ab".repeat(32);
    let text = format!(
        "[dom0]\nkind = \"unix\"\npath = \"/x\"\ntoken_file = \"/t\"\nkey_file = {key:?}\n\
         hv_pins = [\"{pin}\"]\n"
    );
    std::fs::write(&config, text).expect("writable");
    let missing = run(&["serve", "--config", path(&config)]);
    assert_eq!(missing.status.code(), Some(78));
    let said = stderr(&missing);
    assert!(
        said.contains("domu-agent enroll") && said.contains(path(&key)),
        "{said}"
    );

    run(&["enroll", "--out", path(dir.path())]);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&key, mode).expect("ours");
    let exposed = run(&["serve", "--config", path(&config)]);
    assert_eq!(exposed.status.code(), Some(78));
    assert!(
        stderr(&exposed).contains("chmod 600"),
        "{}",
        stderr(&exposed)
    );
}

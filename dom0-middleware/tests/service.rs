//! The running service, with hostile and friendly guests on its channel, but without a card.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use proto::agent::{
    AgentMessage, Dom0Message, FrameReader, Hello, Open, PROTOCOL_VERSION, RefusalCode,
    encode_frame,
};
use proto::id::SessionId;
use serde_json::Value;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

const UUID: &str = "7e55e2a0-0000-4000-8000-000000000007";

/// A service with one channel, one card that never comes, and a binding between the two.
struct Service {
    child: Child,
    dir: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| format!("{:?}", dir.path().join(name));
        let key = rcgen::KeyPair::generate().expect("P-256");
        let params = rcgen::CertificateParams::new(vec!["ca.example".to_owned()]);
        let ca = params.and_then(|params| params.self_signed(&key));
        std::fs::write(dir.path().join("ca.pem"), ca.expect("a certificate").pem())
            .expect("written");
        let config = format!(
            "[service]\nadmin_socket = {}\naudit_file = {}\nstate_file = {}\n\
             [[card_source]]\nkind = \"vicc\"\nseid = \"se-00\"\nsocket = {}\n\
             [[card]]\nseid = \"se-00\"\n\
             [[domain]]\ndomid = 7\nuuid = \"{UUID}\"\nname = \"web01\"\n\
             [[channel]]\nkind = \"unix\"\npath = {}\ndomid = 7\ninsecure_development = true\n\
             [[binding]]\nvm = \"web01\"\ncard = \"se-00\"\nidentity = \"web01\"\ntrust = {}\n",
            at("admin.sock"),
            at("audit.jsonl"),
            at("state.db"),
            at("card.sock"),
            at("guest.sock"),
            at("ca.pem"),
        );
        let file = dir.path().join("dom0-middleware.toml");
        std::fs::write(&file, config).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_dom0-middleware"))
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it is built");
        let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = String::new();
        loop {
            let line = log.next().expect("still running").expect("text");
            said.push_str(&line);
            if line.contains("ready") {
                break;
            }
        }
        assert!(said.contains("insecure_development"), "it warns: {said}");
        // Nobody may be kept from logging.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn guest(&self) -> Guest {
        Guest::connect(&self.path("guest.sock"))
    }

    fn admin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dom0-middleware"));
        command
            .args(arguments)
            .arg("--admin")
            .arg(self.path("admin.sock"));
        command.output().expect("it is built")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.admin(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("audit.jsonl")).expect("there");
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().expect("JSON lines")
    }

    /// Stops it in order.
    fn stop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().expect("small"));
        nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM).expect("running");
        let status = self.child.wait().expect("our child");
        assert_eq!(status.code(), Some(0));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An agent made by hand.
struct Guest {
    stream: UnixStream,
    frames: FrameReader,
}

impl Guest {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        Self {
            stream,
            frames: FrameReader::new(),
        }
    }

    fn send(&mut self, message: &AgentMessage) {
        let frame = encode_frame(&message.encode()).expect("short");
        self.stream.write_all(&frame).expect("it reads");
    }

    fn hello(&mut self) {
        self.send(&AgentMessage::Hello(Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: "test".to_owned(),
            token: Vec::new(),
        }));
        let welcome = self.receive();
        let Some(Dom0Message::Welcome(welcome)) = welcome else {
            panic!("not welcome: {welcome:?}");
        };
        assert_eq!(welcome.domain.to_string(), UUID);
    }

    /// The next message; `None` at the end.
    fn receive(&mut self) -> Option<Dom0Message> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(frame) = self.frames.next_frame().expect("frames") {
                return Some(Dom0Message::decode(&frame).expect("a message"));
            }
            let read = self.stream.read(&mut bytes).expect("in time");
            if read == 0 {
                return None;
            }
            self.frames.push(&bytes[..read]);
        }
    }

    #[track_caller]
    fn expect_refused(&mut self, code: RefusalCode, session: Option<SessionId>) {
        match self.receive() {
            Some(Dom0Message::Refused(refused)) => {
                assert_eq!((refused.code, refused.session), (code, session));
            }
            other => panic!("not refused: {other:?}"),
        }
    }
}

fn open(session: u32) -> AgentMessage {
    AgentMessage::Open(Open {
        session: SessionId(session),
        server_name: "www.example".to_owned(),
        identity: None,
        alpn: Vec::new(),
        min_version: None,
        max_version: None,
        resume: None,
        role: None,
    })
}

#[test]
fn a_guest_is_welcome_and_learns_that_its_card_is_missing() {
    let mut service = Service::start();
    let mut guest = service.guest();
    guest.hello();
    guest.send(&AgentMessage::Identities);
    let identities = guest.receive();
    assert!(matches!(identities, Some(Dom0Message::Identities(list)) if list.is_empty()));
    guest.send(&open(1));
    guest.expect_refused(RefusalCode::NoCard, Some(SessionId(1)));
    guest.send(&AgentMessage::Ping);
    assert!(matches!(guest.receive(), Some(Dom0Message::Pong)));

    service.stop();
    assert!(guest.receive().is_none(), "the end is the end");
    for socket in ["guest.sock", "admin.sock", "card.sock"] {
        assert!(!service.path(socket).exists(), "{socket} is left behind");
    }
    let events: Vec<Value> = service.audit().iter().map(|r| r["event"].clone()).collect();
    let expected = [
        "service-started",
        "checkpoint",
        "guest-admitted",
        "session-refused",
        "channel-closed",
        "service-stopped",
        "checkpoint",
    ];
    assert_eq!(events, expected);
}

#[test]
fn only_its_owner_may_open_a_socket() {
    let service = Service::start();
    for socket in ["guest.sock", "admin.sock", "card.sock"] {
        let mode = service
            .path(socket)
            .metadata()
            .expect("there")
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{socket}");
    }
}

#[test]
fn what_is_no_message_ends_that_connection_and_no_other() {
    let service = Service::start();
    let mut good = service.guest();
    good.hello();
    let garbage: [&[u8]; 4] = [
        b"\xFF\xFF\xFF\xFFxxxx",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x03abc",
        // An open before hello.
        &encode_frame(&open(1).encode()).expect("short"),
    ];
    for bytes in garbage {
        let mut guest = service.guest();
        guest.stream.write_all(bytes).expect("it reads");
        guest.expect_refused(RefusalCode::Protocol, None);
        assert!(guest.receive().is_none(), "{bytes:02X?}");
    }
    good.send(&open(2));
    good.expect_refused(RefusalCode::NoCard, Some(SessionId(2)));
}

#[test]
fn a_domain_has_four_connections_and_gets_a_place_back() {
    let service = Service::start();
    let mut guests: Vec<Guest> = (0..4).map(|_| service.guest()).collect();
    for guest in &mut guests {
        guest.hello();
    }
    let mut fifth = service.guest();
    fifth.expect_refused(RefusalCode::Limit, None);
    assert!(fifth.receive().is_none());
    drop(guests.pop());
    // The service may take a moment to see that the fourth is gone.
    let mut tries = 0;
    loop {
        let mut guest = service.guest();
        guest.send(&AgentMessage::Hello(Hello {
            versions: vec![PROTOCOL_VERSION],
            agent: "test".to_owned(),
            token: Vec::new(),
        }));
        match guest.receive() {
            Some(Dom0Message::Welcome(_)) => break,
            _ => tries += 1,
        }
        assert!(tries < 1_000, "no place is given back");
    }
}

#[test]
fn operators_see_cards_channels_and_bindings() {
    let service = Service::start();
    let mut guest = service.guest();
    guest.hello();
    let cards = service.json(&["card", "list"]);
    assert_eq!(cards[0]["seid"], "se-00");
    assert_eq!(cards[0]["state"], "absent");
    let status = service.json(&["status"]);
    assert_eq!(status["channels"][0]["insecure_development"], true);
    assert_eq!(status["connections"][0]["admitted"], true);
    assert_eq!(status["bindings"][0]["name"], "web01");
    let text = service.admin(&["status"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for words in [
        "NONE (insecure_development)",
        "se-00",
        "absent",
        UUID,
        "web01",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn an_operator_who_asks_nonsense_is_told_so() {
    let service = Service::start();
    let mut stream = UnixStream::connect(service.path("admin.sock")).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream
        .write_all(b"{\"dance\":{}}\n{\"status\":{}}\n")
        .expect("it reads");
    let mut lines = BufReader::new(stream).lines();
    let mut answer = || -> Value {
        let line = lines.next().expect("an answer").expect("text");
        serde_json::from_str(&line).expect("JSON")
    };
    assert_eq!(answer()["error"]["code"], "bad-request");
    assert!(
        answer()["status"].is_object(),
        "the next question is answered"
    );
}

#[test]
fn a_second_service_with_the_same_files_does_not_start() {
    let service = Service::start();
    let config = service.path("dom0-middleware.toml");
    let second = Command::new(env!("CARGO_BIN_EXE_dom0-middleware"))
        .arg("serve")
        .arg("--config")
        .arg(config)
        .output()
        .expect("it is built");
    assert_eq!(second.status.code(), Some(69));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    // Before anything is done, such as a PIN sent to the card with the HV key.
    assert!(said.contains("state.db is in use"), "{said}");
    assert!(
        service.path("guest.sock").exists(),
        "the first is not disturbed"
    );
    service.guest().hello();
}

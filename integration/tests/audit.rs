//! The audit of a whole host: complete, checked while it is written, over files and kills; and what
//! `audit verify` makes of one that somebody has changed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use integration::chain::{Chain, ChainPlan, request};
use integration::openssl::{OpensslServer, ServerPlan};
use integration::payload::payload;
use integration::pki::{KeyKind, Pki};
use integration::{audit, binaries, wait};
use serde_json::Value;

const NAME: &str = "www.example";

/// The smallest files there can be, and all of them kept.
const SMALL_FILES: &str = "[audit]\nmax_bytes = 16384\nkeep = 1000\n";

fn small_files() -> ChainPlan {
    ChainPlan::single(KeyKind::P256).more_config(SMALL_FILES)
}

/// Runs `audit verify` on the audit of a host.
fn verify(file: &Path, arguments: &[&str]) -> Output {
    let mut command = binaries::middleware();
    command.args(["audit", "verify"]).arg(file).args(arguments);
    command.output().expect("it is there")
}

/// The same against everything that the host knows.
fn verify_all(chain: &Chain, more: &[&str]) -> Output {
    let certificate = chain.hypervisor().certificate_file();
    let certificate = certificate.to_str().expect("UTF-8");
    let state = chain.folder().join("state.db");
    let state = state.to_str().expect("UTF-8");
    let all = [&["--hv-cert", certificate, "--state", state], more].concat();
    verify(&chain.audit_file(), &all)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn expect_good(output: &Output) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

fn of_event<'a>(records: &'a [Value], event: &str) -> Vec<&'a Value> {
    let is_it = |record: &&Value| record["event"] == event;
    records.iter().filter(is_it).collect()
}

/// What `audit tail --follow --json` has printed so far, line by line.
fn follow(chain: &Chain) -> (std::process::Child, std::sync::mpsc::Receiver<String>) {
    let mut command = binaries::middleware();
    command
        .args(["audit", "tail", "-n", "0", "--follow", "--json", "--admin"])
        .arg(chain.admin_socket())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("it is there");
    let output = child.stdout.take().expect("piped");
    let (sender, lines) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    (child, lines)
}

#[test]
fn everything_is_on_record_and_holds_while_files_change() {
    const SESSIONS: usize = 40;
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &small_files());
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, KeyKind::P256)));
    let (mut tail, followed) = follow(&chain);
    // It has begun to follow once it prints.
    let first = wait::until("the tail follows", || {
        chain.guest("web01").converse(&server, NAME);
        followed.recv_timeout(Duration::from_millis(300)).ok()
    });
    let done = AtomicBool::new(false);
    let checks = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (chain, done, checks) = (&chain, &done, &checks);
        scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                expect_good(&verify(&chain.audit_file(), &[]));
                checks.fetch_add(1, Ordering::SeqCst);
            }
        });
        for _ in 0..SESSIONS {
            chain.guest("web01").converse(&server, NAME);
        }
        wait::until("it was checked meanwhile", || {
            (checks.load(Ordering::SeqCst) > 3).then_some(())
        });
        done.store(true, Ordering::SeqCst);
    });
    assert!(audit::files(&chain.audit_file()).len() > 2);
    let closed = |chain: &Chain| chain.audited("session-closed").len();
    wait::until("the last end is on record", || {
        (closed(&chain) > SESSIONS).then_some(())
    });
    chain.middleware().stop();
    let output = verify_all(&chain, &["--json"]);
    expect_good(&output);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["good"], true);
    assert_eq!(report["checkpoints"]["certified"], true);
    assert_eq!(report["checkpoints"]["unsigned"], 0);
    assert_eq!(report["checkpoints"]["last_signed_seq"], report["last_seq"]);

    let records = chain.audit();
    let established = of_event(&records, "session-established");
    assert!(established.len() > SESSIONS);
    let cti = &of_event(&records, "guest-admitted")[0]["token"]["cti"];
    for session in established {
        let name = &session["session"];
        let of_session = |event| {
            let all = of_event(&records, event).into_iter();
            all.filter(|record| record["session"] == *name).count()
        };
        assert_eq!(of_session("session-opened"), 1, "{name}");
        assert_eq!(of_session("session-closed"), 1, "{name}");
        assert_eq!(session["cti"], *cti);
    }
    // Every line was followed, in its order, whatever file it stands in.
    let last = records.last().expect("lines")["seq"].clone();
    let mut seen = vec![first];
    wait::until("the tail has printed the last line", || {
        seen.extend(followed.try_iter());
        let line: Value = serde_json::from_str(seen.last()?).ok()?;
        (line["seq"] == last).then_some(())
    });
    tail.kill().expect("it runs");
    tail.wait().expect("killed");
    let number = |line: &String| serde_json::from_str::<Value>(line).expect("JSON")["seq"].clone();
    let numbers: Vec<Value> = seen.iter().map(number).collect();
    let from = numbers[0].as_u64().expect("a number");
    let expected: Vec<Value> = (from..).take(numbers.len()).map(Value::from).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn killed_while_it_writes_it_leaves_a_chain_that_holds() {
    const KILLS: usize = 12;
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &small_files());
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, KeyKind::P256)));
    let done = AtomicBool::new(false);
    let client = chain.guest("web01").client().clone();
    thread::scope(|scope| {
        let (done, port) = (&done, server.port());
        scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                if client.connect(request(port, NAME)).is_err() {
                    thread::park_timeout(Duration::from_millis(2));
                }
            }
        });
        for kill in 0..KILLS {
            // Any moment will do; there is nothing to wait for.
            thread::park_timeout(Duration::from_millis(37 * (kill as u64 % 7) + 15));
            chain.middleware().kill();
            // Half a line may be left, which is no fault.
            expect_good(&verify_all(&chain, &[]));
            chain.restart_after_kill();
        }
        wait::until("it starts for the last time", || {
            chain.admin(&["status"]).status.success().then_some(())
        });
        done.store(true, Ordering::SeqCst);
    });
    chain.middleware().stop();
    expect_good(&verify_all(&chain, &[]));
    let records = chain.audit();
    // It may have been killed before it had started.
    let starts = of_event(&records, "service-started").len();
    assert!((KILLS / 2..=KILLS + 1).contains(&starts), "{starts}");
    assert!(of_event(&records, "audit-behind-state").is_empty());
}

/// An audit that the test may change.
struct Copy {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

fn copy(chain: &Chain) -> Copy {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in audit::files(&chain.audit_file()) {
        let name = file.file_name().expect("a file");
        fs::copy(&file, folder.path().join(name)).expect("copied");
    }
    let name = chain.audit_file();
    let file = folder.path().join(name.file_name().expect("a file"));
    Copy {
        _folder: folder,
        file,
    }
}

/// Changes a file as `sed -i` does.
fn sed(file: &Path, script: &str) {
    let before = fs::read(file).expect("readable");
    let status = Command::new("sed").arg("-i").arg(script).arg(file).status();
    assert!(status.expect("sed is there").success(), "{script}");
    assert_ne!(fs::read(file).expect("readable"), before, "{script}");
}

#[test]
fn what_somebody_changes_is_found_and_its_line_named() {
    let pki = Pki::new();
    let mut chain = Chain::start(&pki, &small_files());
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, KeyKind::P256)));
    wait::until("there is an old file", || {
        chain.guest("web01").converse(&server, NAME);
        (audit::files(&chain.audit_file()).len() > 2).then_some(())
    });
    chain.middleware().stop();
    let certificate = chain.hypervisor().certificate_file();
    let certificate = certificate.to_str().expect("UTF-8").to_owned();
    let state = chain.folder().join("state.db").display().to_string();
    let hv = ["--hv-cert", &certificate];
    expect_good(&verify(&copy(&chain).file, &hv));

    for (script, line, reason) in [
        ("5s/web01/web02/", 5, "was changed"),
        ("5d", 5, "lines are missing"),
        ("1d", 1, "lines are missing"),
        ("5{h;d};6{G}", 5, "lines are missing"),
        ("5{p}", 6, "lines are missing"),
        ("5s/.*/{}/", 5, "not a record"),
        ("5s/^/x/", 5, "not a record"),
    ] {
        let copy = copy(&chain);
        let old = PathBuf::from(format!("{}.1", copy.file.display()));
        sed(&old, script);
        let output = verify(&copy.file, &hv);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{script}: {said}");
        let place = format!("{}:{line}: ", old.display());
        assert!(said.contains(&place), "{script}: {said}");
        assert!(said.contains(reason), "{script}: {said}");
        let output = verify(&copy.file, &["--json"]);
        assert_eq!(output.status.code(), Some(1), "{script}");
        let fault: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(fault["good"], false);
        assert_eq!(fault["line"], line);
    }

    // The end is gone: nothing in the files shows it, the state does.
    let cut = copy(&chain);
    sed(&cut.file, "$d");
    let output = verify(&cut.file, &["--state", &state]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("the end was cut off"));
    // And an old file.
    let cut = copy(&chain);
    fs::remove_file(format!("{}.1", cut.file.display())).expect("it was there");
    assert_eq!(verify(&cut.file, &hv).status.code(), Some(1));

    // What cannot be said is no verdict.
    let missing = chain.folder().join("no-such-audit");
    assert_eq!(verify(&missing, &[]).status.code(), Some(69));
    let audit = chain.audit_file();
    let no_certificate = ["--hv-cert", audit.to_str().expect("UTF-8")];
    assert_eq!(verify(&audit, &no_certificate).status.code(), Some(78));
    assert_eq!(
        verify(&audit, &["--state", "/nowhere"]).status.code(),
        Some(69)
    );
}

#[test]
fn the_administrator_ends_one_session_and_no_other() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    let credential = pki.server(NAME, KeyKind::P256);
    let plan = ServerPlan::new(&credential);
    let (one, other) = (
        OpensslServer::start(&pki, &plan),
        OpensslServer::start(&pki, &plan),
    );
    let connect = |server: &OpensslServer| {
        let session = chain.guest("web01").connect(server.port(), NAME);
        session.expect("a session")
    };
    let mut killed = connect(&one);
    let mut standing = connect(&other);
    let list = || -> Vec<Value> {
        let output = chain.admin(&["session", "list", "--json"]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let sessions = list();
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    assert_eq!(sessions[0]["state"], "established");
    assert_eq!(sessions[0]["name"], "web01");
    let id = sessions[0]["session"].as_str().expect("a name").to_owned();
    let table = text(&chain.admin(&["session", "list"]).stdout);
    assert!(
        table
            .lines()
            .nth(1)
            .is_some_and(|line| line.starts_with(&id))
    );

    let output = chain.admin(&["session", "kill", &id]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(killed.read_to_end().is_empty());
    let ended = chain
        .guest("web01")
        .client()
        .ended(killed.established.session);
    assert_eq!(
        ended.expect("remembered").message,
        "dom0 ended the right to the card: policy"
    );
    assert_eq!(list().len(), 1);
    let record = &chain.audited("session-killed")[0];
    assert_eq!(record["session"], id.as_str());
    assert_eq!(record["established"], true);
    let again = chain.admin(&["session", "kill", &id]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again.stderr));
    assert!(text(&again.stderr).contains("no session"));
    let nonsense = chain.admin(&["session", "kill", "three"]);
    assert_eq!(nonsense.status.code(), Some(64));
    standing.send(&payload(100));
    assert_eq!(other.receive(100), payload(100));
    standing.close();
}

#[test]
fn a_handshake_is_killed_at_its_card_and_the_next_has_it() {
    let pki = Pki::new();
    let chain = Chain::start(&pki, &ChainPlan::single(KeyKind::P256));
    // A server that never says anything keeps the card waiting.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let server = OpensslServer::start(&pki, &ServerPlan::new(&pki.server(NAME, KeyKind::P256)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| chain.guest("web01").connect(port, NAME));
        let queue = || -> Value {
            let output = chain.admin(&["queue", "show", "--json"]);
            serde_json::from_slice(&output.stdout).expect("JSON")
        };
        let id = wait::until("it has the card", || {
            let running = queue()[0]["running"]["session"].clone();
            running.as_str().map(str::to_owned)
        });
        let shown = text(&chain.admin(&["queue", "show"]).stdout);
        assert!(shown.contains(&id), "{shown}");
        let next = scope.spawn(|| chain.guest("web01").connect(server.port(), NAME));
        wait::until("another one waits", || {
            let queue = queue();
            (queue[0]["waiting"][0]["place"] == 1).then_some(())
        });
        assert!(chain.admin(&["session", "kill", &id]).status.success());
        let no = waiting
            .join()
            .expect("no panic")
            .expect_err("it was killed");
        assert_eq!(no.code, "policy");
        assert_eq!(no.message, "ended by the administrator");
        let next = next.join().expect("no panic");
        next.expect("the card is free").close();
    });
    let killed = &chain.audited("session-killed")[0];
    assert_eq!(killed["established"], false);
    assert_eq!(killed["seid"], "se-00");
}

//! The audit's file over restarts, full disks and new files.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;
use crate::audit::rotation;

fn now() -> UnixTime {
    UnixTime::from_secs(1)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("readable");
    let mut prev = "0".repeat(64);
    let mut lines = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["prev"], prev.as_str(), "line {n}");
        assert_eq!(value["seq"], n, "line {n}");
        prev = Sha256::digest(line)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        lines.push(value);
    }
    lines
}

#[test]
fn the_chain_goes_on_over_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit.jsonl");
    for _ in 0..3 {
        let mut log = AuditLog::open(&path, Rotation::default(), now()).expect("opened");
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("written");
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("written");
        log.sync().expect("synced");
    }
    assert_eq!(lines(&path).len(), 6);
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_torn_line_is_cut_off_and_recorded() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit.jsonl");
    let mut log = AuditLog::open(&path, Rotation::default(), now()).expect("opened");
    log.append(&AuditEvent::ServiceStopped, now())
        .expect("written");
    drop(log);
    let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
    file.write_all(b"{\"seq\":1,\"ti").expect("written");
    drop(file);
    AuditLog::open(&path, Rotation::default(), now()).expect("opened again");
    let lines = lines(&path);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["event"], "recovered");
    assert_eq!(lines[1]["bytes"], 12);
}

#[test]
fn two_processes_never_write_one_audit() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit.jsonl");
    let first = AuditLog::open(&path, Rotation::default(), now()).expect("opened");
    assert!(matches!(
        AuditLog::open(&path, Rotation::default(), now()),
        Err(AuditError::InUse(_))
    ));
    drop(first);
    assert!(AuditLog::open(&path, Rotation::default(), now()).is_ok());
}

#[test]
fn a_file_that_is_no_audit_is_not_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("notes");
    fs::write(&path, "remember the milk\n").expect("written");
    assert!(matches!(
        AuditLog::open(&path, Rotation::default(), now()),
        Err(AuditError::NotAnAudit(_))
    ));
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "remember the milk\n"
    );
}

/// Takes as many lines as it has room for.
struct Full {
    room: usize,
    lines: std::sync::mpsc::Sender<Vec<u8>>,
}

impl Storage for Full {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.room == 0 {
            self.room = 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= 1;
        self.lines.send(line.to_vec()).map_err(io::Error::other)
    }
}

#[test]
fn a_record_that_was_not_written_leaves_no_hole() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut log = AuditLog::new(Box::new(Full {
        room: 1,
        lines: sender,
    }));
    log.append(&AuditEvent::ServiceStopped, now())
        .expect("room");
    assert!(log.append(&AuditEvent::ServiceStopped, now()).is_err());
    log.append(&AuditEvent::ServiceStopped, now())
        .expect("room again");
    let numbers: Vec<Value> = receiver
        .try_iter()
        .map(|line| serde_json::from_slice::<Value>(&line).expect("JSON")["seq"].clone())
        .collect();
    assert_eq!(numbers, [0, 1]);
}

/// Signs with nothing but the message itself.
struct Echo {
    certificates: std::sync::Mutex<Vec<Vec<u8>>>,
}

impl CheckpointSigner for Echo {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        message.to_vec()
    }

    fn certificates(&self) -> Vec<Vec<u8>> {
        self.certificates.lock().expect("no panic").clone()
    }
}

fn echo(key: &[u8]) -> Arc<Echo> {
    let certificates = vec![key.to_vec(), b"hv".to_vec()];
    Arc::new(Echo {
        certificates: certificates.into(),
    })
}

fn events(lines: &[Value]) -> Vec<&str> {
    let event = |line: &'_ Value| -> &'static str {
        match line["event"].as_str() {
            Some("checkpoint") => "checkpoint",
            Some("checkpoint-key") => "key",
            Some("file-continued") => "continued",
            Some("records-lost") => "lost",
            _ => ".",
        }
    };
    lines.iter().map(event).collect()
}

#[test]
fn a_checkpoint_says_that_it_is_unsigned_or_has_its_key_before_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit");
    let mut log = AuditLog::open(&path, Rotation::default(), now()).expect("opened");
    log.checkpoint(CheckpointReason::Start, now())
        .expect("written");
    let signer = echo(b"one");
    log.sign_with(signer.clone());
    for reason in [CheckpointReason::Hour, CheckpointReason::Stop] {
        log.checkpoint(reason, now()).expect("written");
    }
    *signer.certificates.lock().expect("no panic") = vec![b"two".to_vec()];
    log.checkpoint(CheckpointReason::Stop, now())
        .expect("written");
    let lines = lines(&path);
    let expected = [
        "checkpoint",
        "key",
        "checkpoint",
        "checkpoint",
        "key",
        "checkpoint",
    ];
    assert_eq!(events(&lines), expected);
    assert_eq!(lines[0]["unsigned"], true);
    assert_eq!(lines[0]["reason"], "start");
    assert_eq!(lines[1]["certificates"][1], "aHY=");
    assert_eq!(lines[2]["key"], lines[1]["key"]);
    assert_eq!(lines[5]["key"], lines[4]["key"]);
    let mut signed = b"tessera audit checkpoint v1".to_vec();
    signed.extend(2_u64.to_be_bytes());
    signed.extend(Sha256::digest(
        fs::read_to_string(&path)
            .expect("readable")
            .lines()
            .nth(1)
            .expect("a line"),
    ));
    signed.extend(b"1970-01-01T00:00:01.000Z");
    use base64::Engine as _;
    let signature = base64::engine::general_purpose::STANDARD.encode(signed);
    assert_eq!(lines[2]["signature"], signature.as_str());
}

#[test]
fn a_checkpoint_comes_after_a_thousand_records_and_after_an_hour() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit");
    let mut log = AuditLog::open(&path, Rotation::default(), now()).expect("opened");
    let start = Now {
        monotonic: Instant::now(),
        unix: now(),
    };
    log.begin_checkpoints(start).expect("written");
    for _ in 0..2_500 {
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("written");
    }
    let at = |lines: &[Value]| -> Vec<usize> {
        let events = events(lines);
        let checkpoints = events.iter().enumerate();
        let checkpoints = checkpoints.filter(|(_, event)| **event == "checkpoint");
        checkpoints.map(|(n, _)| n).collect()
    };
    assert_eq!(at(&lines(&path)), [0, 1_001, 2_002]);
    let due = log.next_timeout().expect("one is due");
    assert_eq!(due, start.monotonic + PERIOD);
    log.handle_timeout(start.after(PERIOD / 2)).expect("early");
    assert_eq!(at(&lines(&path)).len(), 3);
    log.handle_timeout(start.after(PERIOD)).expect("written");
    assert_eq!(at(&lines(&path)).len(), 4);
    assert_eq!(log.next_timeout(), Some(due + PERIOD));
}

/// All lines of all files, the oldest first; the chain is checked on the way.
fn all_lines(path: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = rotation::old_files(path)
        .expect("readable")
        .into_iter()
        .map(|(_, file)| file)
        .rev()
        .collect();
    files.push(path.to_owned());
    let mut before: Option<(u64, String)> = None;
    let mut all = Vec::new();
    for file in files {
        for line in fs::read_to_string(&file).expect("readable").lines() {
            let value: Value = serde_json::from_str(line).expect("JSON");
            if let Some((seq, hash)) = before {
                assert_eq!(value["seq"], seq + 1, "{}", file.display());
                assert_eq!(value["prev"], hash.as_str(), "{}", file.display());
            }
            let seq = value["seq"].as_u64().expect("a number");
            before = Some((seq, hex(&Sha256::digest(line))));
            all.push(value);
        }
    }
    all
}

const SMALL: Rotation = Rotation {
    max_bytes: 2_000,
    keep: 3,
};

#[test]
fn the_chain_goes_on_from_file_to_file_and_over_restarts() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit");
    for _ in 0..4 {
        let mut log = AuditLog::open(&path, SMALL, now()).expect("opened");
        log.sign_with(echo(b"key"));
        for _ in 0..20 {
            log.append(&AuditEvent::ServiceStopped, now())
                .expect("written");
        }
    }
    let files = rotation::old_files(&path).expect("readable");
    assert_eq!(files.len(), 3);
    let lines = all_lines(&path);
    assert_eq!(lines[0]["event"], "file-continued", "older ones are gone");
    assert_eq!(
        lines[0]["previous_seq"].as_u64().map(|seq| seq + 1),
        lines[0]["seq"].as_u64()
    );
    for (_, file) in files {
        let text = fs::read_to_string(&file).expect("readable");
        assert!(text.len() < 3_500, "{}", text.len());
        let last = text.lines().last().expect("a line");
        assert!(last.contains("\"reason\":\"rotation\""), "{last}");
        assert!(text.contains("checkpoint-key"), "each file has the key");
        let mode = fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(matches!(
        AuditLog::open(&path, SMALL, now()).map(|_log| AuditLog::open(&path, SMALL, now())),
        Ok(Err(AuditError::InUse(_)))
    ));
}

/// Copies the folder as a power cut would leave it.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

#[test]
fn whatever_a_rotation_is_interrupted_at_the_chain_is_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit");
    let mut log = AuditLog::open(&path, SMALL, now()).expect("opened");
    while rotation::old_files(&path).expect("readable").len() < 3 {
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("written");
    }
    drop(log);
    let count = all_lines(&path).len();
    type Step = fn(&Path);
    let next: Step = |path| fs::write(rotation::next_file(path), "{\"seq\":").expect("written");
    let shift_oldest: Step = |path| {
        let (two, three) = (rotation::numbered(path, 2), rotation::numbered(path, 3));
        fs::rename(two, three).expect("moved");
    };
    let shift_all: Step = |path| {
        let (one, two) = (rotation::numbered(path, 1), rotation::numbered(path, 2));
        fs::rename(one, two).expect("moved");
    };
    let link: Step = |path| fs::hard_link(path, rotation::numbered(path, 1)).expect("linked");
    for done in 1..=4 {
        let other = tempfile::tempdir().expect("a directory");
        copy(dir.path(), other.path());
        let path = other.path().join("audit");
        for step in [next, shift_oldest, shift_all, link].iter().take(done) {
            step(&path);
        }
        let before = all_lines(&path);
        assert!(before.len() <= count, "step {done}");
        let mut log = AuditLog::open(&path, SMALL, now()).expect("opened");
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("written");
        drop(log);
        assert_eq!(all_lines(&path).len(), before.len() + 1, "step {done}");
        let numbers = rotation::old_files(&path).expect("readable");
        let numbers: Vec<u32> = numbers.into_iter().map(|(number, _)| number).collect();
        let expected: Vec<u32> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "step {done}: no gaps");
    }
}

#[test]
fn an_audit_whose_file_was_taken_away_goes_on_from_the_old_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit");
    let mut log = AuditLog::open(&path, SMALL, now()).expect("opened");
    while rotation::old_files(&path).expect("readable").is_empty() {
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("written");
    }
    drop(log);
    fs::remove_file(&path).expect("removed");
    AuditLog::open(&path, SMALL, now()).expect("opened");
    let lines = lines_of(&path);
    assert_eq!(lines[0]["event"], "file-continued");
    all_lines(&path);
}

fn lines_of(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("readable");
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    text.lines().map(line).collect()
}

#[test]
fn an_audit_that_cannot_begin_another_file_goes_on_in_this_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit");
    let mut log = AuditLog::open(&path, SMALL, now()).expect("opened");
    // In the way of the next file.
    fs::create_dir(rotation::next_file(&path)).expect("made");
    for _ in 0..30 {
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("written");
    }
    assert!(fs::metadata(&path).expect("there").len() > 2 * SMALL.max_bytes);
    fs::remove_dir(rotation::next_file(&path)).expect("removed");
    for _ in 0..5 {
        log.append(&AuditEvent::ServiceStopped, now())
            .expect("written");
    }
    assert_eq!(rotation::old_files(&path).expect("readable").len(), 1);
    all_lines(&path);
}

/// Takes a line or does not, as it was told.
struct Told {
    answers: std::vec::IntoIter<bool>,
    lines: std::sync::mpsc::Sender<Vec<u8>>,
}

impl Storage for Told {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        match self.answers.next() {
            Some(true) => self.lines.send(line.to_vec()).map_err(io::Error::other),
            _ => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}

#[test]
fn records_that_were_lost_are_owned_up_to() {
    let (lines, receiver) = std::sync::mpsc::channel();
    // No room at all; room to own up and no more; room.
    let answers = vec![false, false, true, false, true, true].into_iter();
    let mut log = AuditLog::new(Box::new(Told { answers, lines }));
    let stopped = AuditEvent::ServiceStopped;
    for _ in 0..3 {
        assert!(log.append_or_own_up(&stopped, now()).is_err());
    }
    log.append_or_own_up(&stopped, now()).expect("room again");
    let lines: Vec<Value> = receiver
        .try_iter()
        .map(|line| serde_json::from_slice(&line).expect("JSON"))
        .collect();
    assert_eq!(events(&lines), ["lost", "lost", "."]);
    assert_eq!(
        (&lines[0]["count"], &lines[1]["count"]),
        (&2.into(), &1.into())
    );
    assert_eq!(lines[2]["seq"], 2);
}

#[test]
fn a_record_that_nobody_could_read_is_not_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit");
    let mut log = AuditLog::open(&path, Rotation::default(), now()).expect("opened");
    let long = |length| AuditEvent::ServiceStarted {
        version: "1",
        insecure_channels: vec!["x".repeat(length)],
    };
    log.append(&long(MAX_LINE), now()).expect_err("too long");
    let around = log.chain.link(&long(0), now()).line.len();
    log.append(&long(MAX_LINE + 1 - around), now())
        .expect("it just fits");
    log.append(&long(MAX_LINE + 2 - around), now())
        .expect_err("one byte more");
    drop(log);
    AuditLog::open(&path, Rotation::default(), now()).expect("it is read again");
}

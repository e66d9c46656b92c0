//! Audits as they are and as they should not be.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::audit::{AuditEvent, AuditLog, Rotation};

const DOMAIN: DomainUuidBytes = [1; 16];
type DomainUuidBytes = [u8; 16];

fn events() -> Vec<AuditEvent> {
    let domain = DomainUuid::from_bytes(DOMAIN);
    let seid: Seid = "se-00".parse().expect("a SEID");
    vec![
        AuditEvent::ServiceStopped,
        AuditEvent::BindingAdded {
            change: 1,
            domain,
            seid: seid.clone(),
            pool: Vec::new(),
            identities: vec!["web01".parse().expect("a name")],
            shared: false,
            server_names: Vec::new(),
            raw_apdu_sha256: None,
            trust_sha256: "00".to_owned(),
        },
        AuditEvent::BindingRemoved {
            change: 2,
            domain,
            bindings: Vec::new(),
        },
        AuditEvent::TokenRevoked {
            change: 3,
            cti: "07".repeat(16),
            domain: None,
            exp: Some(UnixTime::from_secs(86_400).to_string()),
        },
        AuditEvent::TokensFromSet {
            change: 4,
            domain,
            from: UnixTime::from_secs(3_600).to_string(),
        },
        AuditEvent::CardAdopted {
            change: 5,
            seid,
            fingerprint: "SHA256:00".to_owned(),
            pin_file: None,
        },
        AuditEvent::ChangeFailed {
            change: 6,
            reason: "no room".to_owned(),
        },
        AuditEvent::CardMaintenance {
            change: 7,
            seid: "se-01".parse().expect("a SEID"),
            on: false,
        },
    ]
}

fn written() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("audit.jsonl");
    let now = UnixTime::from_secs(60);
    let mut log = AuditLog::open(&path, Rotation::default(), now).expect("opened");
    for event in events() {
        log.append(&event, now).expect("written");
    }
    (dir, path)
}

/// The head of an audit that ends with this line of the file.
fn head(path: &Path, seq: usize) -> Option<AuditHead> {
    let text = fs::read_to_string(path).expect("there");
    let line = text.lines().nth(seq).expect("a line");
    Some(AuditHead {
        seq: seq as u64,
        hash: Sha256::digest(line).into(),
    })
}

#[test]
fn the_records_of_changes_are_understood() {
    let (_dir, path) = written();
    let read = AuditChanges::read(&path, 0, None).expect("readable");
    let ahead = read.ahead.expect("ahead");
    assert_eq!(ahead.upto, 7);
    let revoked = (UnixTime::from_secs(60), Some(UnixTime::from_secs(86_400)));
    assert_eq!(ahead.revoke, [([7; 16], revoked)].into());
    let domain = DomainUuid::from_bytes(DOMAIN);
    let from = UnixTime::from_secs(3_600);
    assert_eq!(ahead.tokens_from, [(domain, from)].into());
    assert_eq!(ahead.unbind, [domain].into());
    let missing: Vec<String> = ahead.missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "change 5: adoption of SHA256:00 as card se-00",
            "change 7: end of the maintenance of card se-01"
        ]
    );
    assert_eq!(read.behind, None);
    let read = AuditChanges::read(&path, 7, head(&path, 7)).expect("readable");
    assert_eq!((read.ahead, read.behind), (None, None));
}

#[test]
fn an_audit_that_was_cut_or_changed_is_noticed() {
    let (_dir, path) = written();
    let head = head(&path, 3);
    let text = fs::read_to_string(&path).expect("there");
    let cut = text.split_inclusive('\n').take(3).collect::<String>();
    let other = text.replace("2026", "2027").replace("service-stopped", "x");
    let edited = text.replacen("\"cti\":\"07", "\"cti\":\"08", 1);
    let behind = |content: &str| {
        fs::write(&path, content).expect("written");
        let read = AuditChanges::read(&path, 6, head).expect("readable");
        read.behind
            .map(|behind| behind.to_string())
            .unwrap_or_default()
    };
    assert_eq!(behind(&text), "");
    assert!(behind(&cut).contains("was cut"));
    assert!(behind(&edited).contains("was replaced"));
    assert!(behind("").contains("is empty"));
    // Only the line that was noted is looked at here; the chain is for `audit verify`.
    assert_eq!(behind(&other), "");
}

#[test]
fn older_files_are_read_as_far_as_they_are_needed() {
    let (_dir, path) = written();
    let text = fs::read_to_string(&path).expect("there");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let noted = head(&path, 2);
    let older = |number: u8| PathBuf::from(format!("{}.{number}", path.display()));
    fs::write(older(2), lines[..2].concat()).expect("written");
    fs::write(older(1), lines[2..4].concat()).expect("written");
    fs::write(&path, lines[4..].concat()).expect("written");
    let all = AuditChanges::read(&path, 0, None).expect("readable");
    assert_eq!(all.ahead.expect("ahead").upto, 7);
    // The oldest is not needed, and what is in it is not looked at.
    fs::write(older(2), b"\xFF").expect("written");
    let read = AuditChanges::read(&path, 2, noted).expect("readable");
    assert_eq!(read.behind, None);
    assert_eq!(read.ahead.expect("ahead").revoke.len(), 1);
    // The noted line's file is so old that it was deleted.
    for number in 1..=2 {
        fs::remove_file(older(number)).expect("there");
    }
    let read = AuditChanges::read(&path, 2, noted).expect("readable");
    assert_eq!(read.behind, None);
}

#[test]
fn a_line_without_end_is_skipped_and_a_torn_one_does_not_count() {
    let mut text = vec![b'x'; 3 * MAX_LINE];
    text.extend(b"\n{\"seq\":4}\n{\"seq\":5");
    let lines = read(text.as_slice(), 0, None, &mut Vec::new()).expect("memory");
    assert_eq!((lines.first, lines.last), (Some(4), Some(4)));
}

proptest! {
    #[test]
    fn whatever_stands_there_is_read_to_its_end(bytes: Vec<u8>, line in "[^\n]*") {
        read(bytes.as_slice(), 0, None, &mut Vec::new()).expect("memory");
        let text = format!("{{\"seq\":0,\"change\":1,\"event\":{line}\n");
        read(text.as_bytes(), 0, None, &mut Vec::new()).expect("memory");
    }
}

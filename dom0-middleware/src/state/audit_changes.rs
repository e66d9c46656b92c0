//! The changes that stand in the audit, read line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use proto::id::{DomainUuid, Seid};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::recovery::{
    AuditBehind, CatchUp, ChangeKind, ChangeRecord, Lines, compare, compare_head,
};
use crate::audit::{AuditHead, old_files};
use crate::hex::parse_cti;
use crate::time::UnixTime;

/// Longest line that is looked at, in bytes. Ours stay far below.
const MAX_LINE: usize = 64 << 10;

/// The audit cannot be read.
#[derive(Debug, Error)]
#[error("audit file {}", path.display())]
pub struct AuditReadError {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What the audit says about changes, seen from a state.
#[derive(Debug, PartialEq, Eq)]
pub struct AuditChanges {
    /// What the state does not know, if so.
    pub ahead: Option<CatchUp>,
    /// What the audit does not know, if so.
    pub behind: Option<AuditBehind>,
}

impl AuditChanges {
    /// Reads the audit at `path`, and its older files as far back as a state needs them whose last
    /// change is `change` and which knows the audit up to `head`.
    ///
    /// # Errors
    /// [`AuditReadError`] when a file cannot be read.
    pub fn read(path: &Path, change: u64, head: Option<AuditHead>) -> Result<Self, AuditReadError> {
        let mut lines = Lines::default();
        let mut changes = Vec::new();
        let files = files(path).map_err(|source| AuditReadError {
            path: path.to_owned(),
            source,
        })?;
        for file in files {
            let failed = |source| AuditReadError {
                path: file.clone(),
                source,
            };
            let reader = BufReader::new(File::open(&file).map_err(failed)?);
            let older = read(reader, change, head, &mut changes).map_err(failed)?;
            lines = Lines {
                first: older.first.or(lines.first),
                last: lines.last.or(older.last),
                at_head: lines.at_head.or(older.at_head),
            };
            // What is before that line was in the state when it was noted.
            if head
                .zip(lines.first)
                .is_some_and(|(head, first)| first <= head.seq)
            {
                break;
            }
        }
        Ok(Self {
            ahead: compare(change, &changes),
            behind: compare_head(head, lines),
        })
    }
}

/// The file and the older ones, newest first.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let older = old_files(path)?.into_iter().map(|(_, file)| file);
    Ok(std::iter::once(path.to_owned()).chain(older).collect())
}

/// Reads one file; its changes after `change` go to `changes`.
fn read(
    mut file: impl BufRead,
    change: u64,
    head: Option<AuditHead>,
    changes: &mut Vec<ChangeRecord>,
) -> io::Result<Lines> {
    let mut lines = Lines::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut file).take(MAX_LINE as u64);
        bounded.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            if line.len() < MAX_LINE - 1 {
                // The end, or a line that was not finished.
                return Ok(lines);
            }
            // Not one of ours.
            skip_line(&mut file)?;
            continue;
        }
        let Some(seq) = seq(&line) else { continue };
        lines.first = lines.first.or(Some(seq));
        lines.last = Some(seq);
        if head.is_some_and(|head| head.seq == seq) {
            lines.at_head = Some(Sha256::digest(&line).into());
        }
        let record = parse(&line).filter(|record| record.change > change);
        changes.extend(record);
    }
}

fn skip_line(file: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = file.fill_buf()?;
        let feed = buffer.iter().position(|byte| *byte == b'\n');
        let read = feed.map_or(buffer.len(), |feed| feed + 1);
        file.consume(read);
        if feed.is_some() || read == 0 {
            return Ok(());
        }
    }
}

/// The number of a line, which it begins with.
fn seq(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

/// The parts of a record that catching up needs.
#[derive(Deserialize)]
struct Record {
    time: String,
    event: String,
    change: u64,
    domain: Option<DomainUuid>,
    seid: Option<Seid>,
    #[serde(default)]
    identities: Vec<String>,
    fingerprint: Option<String>,
    cti: Option<String>,
    exp: Option<String>,
    from: Option<String>,
}

/// The change that a line is about, if it is about one.
fn parse(line: &[u8]) -> Option<ChangeRecord> {
    let text = str::from_utf8(line).ok()?;
    if !text.contains("\"change\":") {
        return None;
    }
    let record: Record = serde_json::from_str(text).ok()?;
    let change = record.change;
    let kind = kind(&record).unwrap_or_else(|| ChangeKind::Other(record.event.clone()));
    Some(ChangeRecord { change, kind })
}

fn kind(record: &Record) -> Option<ChangeKind> {
    let time = |text: &str| text.parse::<UnixTime>().ok();
    Some(match record.event.as_str() {
        "binding-added" => ChangeKind::Bound {
            domain: record.domain?,
            seid: record.seid.clone()?,
            identities: record.identities.clone(),
        },
        "binding-removed" => ChangeKind::Unbound {
            domain: record.domain?,
        },
        "token-revoked" => ChangeKind::Revoked {
            cti: parse_cti(record.cti.as_deref()?)?,
            exp: record.exp.as_deref().and_then(time),
            at: time(&record.time)?,
        },
        "tokens-from-set" => ChangeKind::TokensFrom {
            domain: record.domain?,
            from: time(record.from.as_deref()?)?,
        },
        "card-adopted" => ChangeKind::Adopted {
            seid: record.seid.clone()?,
            fingerprint: record.fingerprint.clone()?,
        },
        "change-failed" => ChangeKind::Failed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
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
                identities: vec!["web01".parse().expect("a name")],
                shared: false,
                server_names: Vec::new(),
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
        assert_eq!(ahead.upto, 6);
        let revoked = (UnixTime::from_secs(60), Some(UnixTime::from_secs(86_400)));
        assert_eq!(ahead.revoke, [([7; 16], revoked)].into());
        let domain = DomainUuid::from_bytes(DOMAIN);
        let from = UnixTime::from_secs(3_600);
        assert_eq!(ahead.tokens_from, [(domain, from)].into());
        assert_eq!(ahead.unbind, [domain].into());
        let missing: Vec<u64> = ahead.missing.iter().map(|missing| missing.change).collect();
        assert_eq!(missing, [5]);
        assert_eq!(read.behind, None);
        let read = AuditChanges::read(&path, 6, head(&path, 6)).expect("readable");
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
        assert_eq!(all.ahead.expect("ahead").upto, 6);
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
}

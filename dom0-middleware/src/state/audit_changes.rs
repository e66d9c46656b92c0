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
    on: Option<bool>,
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
        "card-maintenance" => ChangeKind::Maintenance {
            seid: record.seid.clone()?,
            on: record.on?,
        },
        "change-failed" => ChangeKind::Failed,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "audit_changes_tests.rs"]
mod tests;
